/** Which tickets a notice is for, and why. Pure. */

import type { TransitionId } from "../../lifecycle/ids.ts";
import type { Owed, TicketList, TicketRow } from "../../store/types.ts";

/** What is new in a ticket since somebody last heard of it. */
export interface News {
  readonly row: TicketRow;
  readonly isUnread: boolean; // more of the customer's messages than before
  readonly isGiven: boolean; // a lane was given to whoever is signed in
  readonly owed: readonly Owed[]; // of the department, and not owed before
}

/** Return what is new between two lists; one that was not whole yet has missed nothing. */
export function newsOf(before: TicketList, after: TicketList, department: string): readonly News[] {
  if (!before.isComplete) {
    return [];
  }
  const known = new Map(before.rows.map((row) => [row.id, row]));
  return after.rows.flatMap((row) => {
    const was = known.get(row.id);
    if (was === row) {
      return [];
    }
    const isUnread = row.unread > (was?.unread ?? 0);
    const isGiven = row.isGiven && !was?.isMine;
    const owedBefore = new Set(was?.owed.map(keyOf));
    const owed = row.owed.filter((one) => one.department === department && !owedBefore.has(keyOf(one)));
    return isUnread || isGiven || owed.length > 0 ? [{ row, isUnread, isGiven, owed }] : [];
  });
}

/** Tell whether anything of what is owed was caused by others; what nothing has caused is owed since the opening. */
export function isOfOthers(row: TicketRow, owed: readonly Owed[], made: ReadonlySet<TransitionId>): boolean {
  return owed.some(({ trigger }) => !(trigger.length === 0 ? [row.id] : trigger).every((cause) => made.has(cause)));
}

function keyOf({ lane, moves }: Owed): string {
  return `${lane} ${moves.join()}`;
}
