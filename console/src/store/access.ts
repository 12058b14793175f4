/**
 * Which documents a ticket has for a person, and which of them may be written; the same as `crdt_sync/domain/access.py`.
 *
 * The service decides. This only keeps the page from asking for what it would be refused.
 */

import type { LaneId } from "../lifecycle/ids.ts";
import type { Lifecycle } from "../lifecycle/model.ts";
import type { Person, TicketId } from "./types.ts";

/** The kinds of document, as names have them. */
export type Kind = "log" | "talk" | "submit" | "form" | "card";

/** Return a document's name. */
export function documentName(ticket: TicketId, kind: Kind, part?: string): string {
  return `ticket/${ticket}/${kind}${part === undefined ? "" : `/${part}`}`;
}

/** Return the kind of a document by its name. */
export function kindOf(name: string): Kind {
  return name.split("/")[2] as Kind;
}

/** Tell whether the person's department takes part in the conversation with the customer. */
export function converses(person: Person, lifecycle: Lifecycle): boolean {
  return lifecycle.talk.includes(person.department);
}

/** Tell whether the lane is the person's department's: whose transitions it makes, and whose form it writes. */
export function owns(person: Person, lifecycle: Lifecycle, lane: string): boolean {
  return lifecycle.lanes.get(lane as LaneId)?.owner === person.department;
}

/** Return the lanes whose forms the person may read. */
export function formsOf(person: Person, lifecycle: Lifecycle): readonly LaneId[] {
  return [...lifecycle.lanes.values()]
    .filter(({ owner, formReaders }) => owner === person.department || formReaders.includes(person.department))
    .map(({ id }) => id);
}

/** Return the documents of a ticket that a person reads: all that are known without its lifecycle, or all of them. */
export function documentsOf(person: Person, ticket: TicketId, lifecycle: Lifecycle | null): readonly string[] {
  const names = [
    documentName(ticket, "submit", person.department),
    documentName(ticket, "log"),
    documentName(ticket, "card"),
  ];
  if (lifecycle !== null) {
    names.push(...(converses(person, lifecycle) ? [documentName(ticket, "talk")] : []));
    names.push(...formsOf(person, lifecycle).map((lane) => documentName(ticket, "form", lane)));
  }
  return names;
}
