/** Input methods, with which Chinese is written: the keys that choose and end a word are theirs. */

const PROCESSED = 229; // what Safari says in the place of `isComposing`, for the Enter that ends a word

/** Tell whether a key is an input method's, and so no order to the page. */
export function isComposed({ isComposing, keyCode }: Pick<KeyboardEvent, "isComposing" | "keyCode">): boolean {
  return isComposing || keyCode === PROCESSED;
}
