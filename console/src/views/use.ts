/** The one hook between what changes outside of the views and what they show. */

import { useLayoutEffect, useState } from "preact/hooks";
import type { Readable } from "../store/types.ts";

/** Show what is so now, and again whenever it changes. */
export function useReadable<T>(readable: Readable<T>): T {
  const [, remember] = useState(readable.snapshot);
  useLayoutEffect(() => {
    const changed = (): void => remember(() => readable.snapshot());
    changed();
    return readable.subscribe(changed);
  }, [readable]);
  return readable.snapshot();
}
