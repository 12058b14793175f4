/** What a reload would lose: files that were chosen and are not sent, which a page cannot choose again. */

import { useEffect } from "preact/hooks";
import { Cell } from "../store/observable.ts";

export const unsent = new Cell<readonly string[]>([]);

/** Say so for as long as a file of this name waits to be sent. */
export function useUnsent(name: string | null): void {
  useEffect(() => {
    if (name === null) {
      return;
    }
    unsent.set([...unsent.snapshot(), name]);
    return () => unsent.set(unsent.snapshot().toSpliced(unsent.snapshot().indexOf(name), 1));
  }, [name]);
}
