/** What only a copy that is dropped held, told so that somebody can look at it later. */

import type * as Y from "yjs";

import { kindOf } from "./access.ts";
import { entriesOf, scalars, texts } from "./content.ts";
import type { Paper } from "./paper.ts";
import type { TicketId } from "./types.ts";

/** Every record of a `submit` document. */
export function recordsOf(submit: Y.Doc): ReadonlySet<string> {
  return new Set([...texts(submit, "transitions"), ...texts(submit, "messages")]);
}

/**
 * Return, one JSON text each, what cards and forms held, and entries in this person's name that were not made here:
 * another browser's, or somebody's forgery.
 */
export function remainsOf(
  ticket: TicketId,
  papers: ReadonlyMap<string, Paper>,
  made: ReadonlySet<string>,
  actor: string,
): readonly string[] {
  return [...papers.values()].flatMap(({ name, doc }) => {
    switch (kindOf(name)) {
      case "card":
        return [told(ticket, name, { card: Object.fromEntries(scalars(doc, "card")) })];
      case "form":
        return [
          told(ticket, name, {
            fields: Object.fromEntries(scalars(doc, "fields")),
            notes: doc.getText("notes").toString(),
          }),
        ];
      case "submit":
        return entriesOf(doc)
          .filter(
            (entry) =>
              (entry.root === "messages" ? entry.made.author : entry.made.actor) === actor && !made.has(entry.record),
          )
          .map(({ record }) => told(ticket, name, { record }));
      default:
        return [];
    }
  });
}

function told(ticket: TicketId, document: string, what: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ticket, document, ...what });
}
