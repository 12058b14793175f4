/** Which tickets are duplicates of which, in a list; and one thread of what was said in several. Pure. */

import type { ChatMessage, TicketId, TicketRow } from "../../store/types.ts";

/** Return the tickets whose work goes on in this one, by way of others too. */
export function duplicatesOf(rows: readonly TicketRow[], id: TicketId): readonly TicketRow[] {
  const marked = rows.filter(({ duplicateOf }) => duplicateOf !== null);
  const found = new Map<TicketId, TicketRow>();
  let from: readonly TicketId[] = [id];
  while (from.length > 0) {
    const more = marked.filter(
      (row) => from.includes(row.duplicateOf ?? row.id) && row.id !== id && !found.has(row.id),
    );
    for (const row of more) {
      found.set(row.id, row);
    }
    from = more.map((row) => row.id);
  }
  return [...found.values()];
}

/** A message, and the place of the conversation that it is of. */
export interface Said {
  readonly message: ChatMessage;
  readonly of: number;
}

/** Put several conversations into one, by time. */
export function thread(conversations: readonly (readonly ChatMessage[])[]): readonly Said[] {
  return conversations
    .flatMap((messages, of) => messages.map((message) => ({ message, of })))
    .sort((one, other) => one.message.at - other.message.at || (one.message.id < other.message.id ? -1 : 1));
}
