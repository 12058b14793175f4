/** The priorities that a card is offered, in words; a card may have any other. Pure. */

import type { Language } from "../lifecycle/model.ts";
import type { Scalar } from "../store/types.ts";
import { isWord, say } from "./words.ts";

export const PRIORITIES: readonly string[] = ["low", "normal", "high", "urgent"];

/** Return how a list says a priority; null for the one that needs no word. */
export function priorityOf(
  value: Scalar,
  language: Language,
): { readonly text: string; readonly isHigh: boolean } | null {
  const name = String(value ?? "");
  if (name === "" || name === "normal") {
    return null;
  }
  const word = `priority_${name}`;
  const text = PRIORITIES.includes(name) && isWord(word) ? say(language, word) : name;
  return { text, isHigh: name === "high" || name === "urgent" };
}
