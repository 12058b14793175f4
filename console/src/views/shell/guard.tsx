/** A part of the page that fails is replaced by a sentence; the rest goes on, and what was written is kept. */

import { Component, type ComponentChildren } from "preact";
import { preferences } from "../preferences.ts";
import { say } from "../words.ts";

interface Props {
  readonly children: ComponentChildren;
}

interface State {
  readonly error: unknown;
}

export class Guard extends Component<Props, State> {
  override state: State = { error: null };

  static override getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override componentDidCatch(error: unknown): void {
    reportError(error); // as any other error of the page: to the browser's log, and to whoever listens
  }

  override render(): ComponentChildren {
    const { language } = preferences.snapshot();
    if (this.state.error === null) {
      return this.props.children;
    }
    return (
      <div class="crashed" role="alert">
        <p>{say(language, "crashed")}</p>
        <button type="button" onClick={() => this.setState({ error: null })}>
          {say(language, "try_again")}
        </button>
      </div>
    );
  }
}
