/** How far an answer got, in a word. Pure. */

import type { ChatMessage } from "../../store/types.ts";
import type { Word } from "../words.ts";

/** The worst that became of any part says what became of the message; before it was sent, where its entry stands. */
export function deliveryWord(message: ChatMessage): Word {
  const parts = message.parts.map((part) => part.delivery);
  const worst = (["failed", "sent", "delivered", "read"] as const).find((state) => parts.includes(state));
  return `delivery_${worst ?? message.delivery}`;
}
