import "./views/style.css";
import { render } from "preact";
import { App } from "./views/app.tsx";
import { apply } from "./views/preferences.ts";
import { installWorker, watchBuild } from "./views/shell/build.ts";

apply();
installWorker();
watchBuild();
const root = document.getElementById("app");
if (root !== null) {
  render(<App />, root);
}
