/** What was only in copies that a restored service does not take: kept, and given out as a file. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useDesk } from "../context.ts";
import { useWords } from "../preferences.ts";
import { saveFile } from "../save_file.ts";

export function Dropped(): JSX.Element | null {
  const { console } = useDesk();
  const words = useWords();
  const [texts, setTexts] = useState<readonly string[]>([]);
  useEffect(() => {
    console.dropped().then(setTexts, reportError);
  }, [console]);
  if (texts.length === 0) {
    return null;
  }
  return (
    <button type="button" onClick={() => saveFile(new Blob([texts.join("\n")]), "left-out.jsonl")}>
      {words("dropped", { count: texts.length })}
    </button>
  );
}
