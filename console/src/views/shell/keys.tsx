/** The list of keys. */

import type { JSX } from "preact";
import { Dialog } from "../dialog.tsx";
import { useWords } from "../preferences.ts";
import type { Word } from "../words.ts";

const KEYS: readonly (readonly [string, Word])[] = [
  ["j k ↓ ↑", "key_move"],
  ["Enter", "key_open"],
  ["Esc", "key_back"],
  ["Ctrl K", "key_palette"],
  ["/", "key_search"],
  ["c", "key_new"],
  ["r", "key_reply"],
  ["?", "key_help"],
];

export function Keys({ close }: { readonly close: () => void }): JSX.Element {
  const words = useWords();
  return (
    <Dialog label={words("keys")} close={close}>
      <h2>{words("keys")}</h2>
      <dl class="keys">
        {KEYS.map(([keys, word]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{words(word)}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={close}>
        {words("close")}
      </button>
    </Dialog>
  );
}
