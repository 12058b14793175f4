/**
 * Says that this page is older than the service, and waits: nobody is reloaded in the middle of a sentence, nor before
 * what was done last stands in the browser's database.
 */

import type { JSX } from "preact";
import { useWords } from "../preferences.ts";
import { unsent } from "../unsent.ts";
import { useReadable } from "../use.ts";
import { reload } from "../use_attempt.tsx";
import { isStale } from "./build.ts";

export function NewerBuild(): JSX.Element | null {
  const words = useWords();
  const files = useReadable(unsent);
  if (!useReadable(isStale)) {
    return null;
  }
  return (
    <div class="bar" role="status">
      <span>{words(files.length > 0 ? "newer_build_unsent" : "newer_build", { files: files.join(", ") })}</span>
      <button type="button" onClick={reload}>
        {words("reload")}
      </button>
    </div>
  );
}
