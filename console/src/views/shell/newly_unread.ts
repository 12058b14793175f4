/** Which tickets a notice is for. Pure. */

import type { TicketList, TicketRow } from "../../store/types.ts";

/** Return the tickets that have more unread messages than before; a list that was not whole yet has missed nothing. */
export function newlyUnread(before: TicketList, after: TicketList): readonly TicketRow[] {
  if (!before.isComplete) {
    return [];
  }
  const known = new Map(before.rows.map((row) => [row.id, row.unread]));
  return after.rows.filter((row) => row.unread > (known.get(row.id) ?? 0));
}
