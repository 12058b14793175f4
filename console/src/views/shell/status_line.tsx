/** Where work stands, calmly: in this browser, and on the server. Told from what the service acknowledged. */

import type { JSX } from "preact";
import type { Saved } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLanguage, useWords, type Words } from "../preferences.ts";
import { reason } from "../reasons.ts";
import { useReadable } from "../use.ts";

export function StatusLine(): JSX.Element {
  const { console } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const saved = useReadable(console.saved);
  const { status, problem } = useReadable(console.connection);
  const state = status === "stopped" ? "bad" : status;
  return (
    <p class="status-line" role="status">
      <span class={`lamp ${state}`} aria-hidden="true" />
      <span>{words(status, { message: problem === null ? "" : reason(language, problem.code) })}</span>
      <span class={saved.here === "failed" ? "bad" : ""}>{savedWords(saved, words)}</span>
      {saved.refused > 0 && <span class="bad">{words("refused_count", { count: saved.refused })}</span>}
    </p>
  );
}

export function savedWords({ here, waiting }: Saved, words: Words): string {
  if (here === "failed") {
    return words("not_saved");
  }
  if (here === "saving") {
    return words("saving_here");
  }
  return waiting > 0 ? words("saved_here", { count: waiting }) : words("saved_server");
}
