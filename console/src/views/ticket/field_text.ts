/** What a field shows of a value. */

import type { Scalar } from "../../store/types.ts";

export const SHOWN_MAX = 4_096; // of a text that somebody has blown up

/** Return the text, and whether it is all of the value: what is shown in part must not be saved in its place. */
export function fieldText(value: Scalar): { readonly text: string; readonly isWhole: boolean } {
  const whole = value === null ? "" : String(value);
  return { text: whole.slice(0, SHOWN_MAX), isWhole: whole.length <= SHOWN_MAX };
}
