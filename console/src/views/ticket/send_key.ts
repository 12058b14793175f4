/** Whether a key sends. Enter does, but not with Shift, and not the one that ends a word of an input method. */

import { isComposed } from "../input_method.ts";

type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">;

export function isSend(event: Key): boolean {
  return event.key === "Enter" && !event.shiftKey && !isComposed(event);
}
