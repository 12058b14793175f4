/** Whether a key sends. Enter does, but not with Shift, and not the one that ends a word of an input method. */

const INPUT_METHOD = 229; // what Safari says in the place of `isComposing`, for the Enter that ends a word

type Key = Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">;

export function isSend({ key, shiftKey, isComposing, keyCode }: Key): boolean {
  return key === "Enter" && !shiftKey && !isComposing && keyCode !== INPUT_METHOD;
}
