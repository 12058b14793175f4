/** Which tickets a notice is for. Pure. */

import type { TicketRow } from "../../store/types.ts";

/** Return the tickets that have more unread messages than before; one that nobody had before was not missed. */
export function newlyUnread(before: readonly TicketRow[], after: readonly TicketRow[]): readonly TicketRow[] {
  const known = new Map(before.map((row) => [row.id, row.unread]));
  return after.filter((row) => row.unread > (known.get(row.id) ?? row.unread));
}
