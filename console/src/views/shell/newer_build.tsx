/** Says that this page is older than the service, and waits: nobody is reloaded in the middle of a sentence. */

import type { JSX } from "preact";
import { useWords } from "../preferences.ts";
import { useReadable } from "../use.ts";
import { isStale } from "./build.ts";

export function NewerBuild(): JSX.Element | null {
  const words = useWords();
  if (!useReadable(isStale)) {
    return null;
  }
  return (
    <div class="bar" role="status">
      <span>{words("newer_build")}</span>
      <button type="button" onClick={() => location.reload()}>
        {words("reload")}
      </button>
    </div>
  );
}
