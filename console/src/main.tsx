import { render } from "preact";

render(<main>Tickets</main>, document.body);
