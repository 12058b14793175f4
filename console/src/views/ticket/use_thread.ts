/** The conversation of a ticket with those of its duplicates, each out of its own documents. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { OpenTicket, TicketRow, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useReadable } from "../use.ts";
import { duplicatesOf, type Said, thread } from "./duplicates.ts";

const DUPLICATES_MAX = 8; // whose documents are opened with the ticket; those that changed last

/** Somebody's word, the ticket whose documents hold it, and that ticket's row if it is a duplicate. */
export interface Told {
  readonly said: Said;
  readonly ticket: OpenTicket;
  readonly duplicate: TicketRow | null;
}

export function useThread(ticket: OpenTicket, view: TicketView): readonly Told[] {
  const { console } = useDesk();
  const { rows } = useReadable(console.tickets);
  const duplicates = useMemo(() => duplicatesOf(rows, ticket.id).slice(0, DUPLICATES_MAX), [rows, ticket]);
  const others = useOpen(duplicates.map(({ id }) => id).join());
  const views = others.map((other) => other.view.snapshot());
  return useMemo(() => {
    const all = [ticket, ...others];
    return thread([view.messages, ...views.map(({ messages }) => messages)]).flatMap((said) => {
      const of = all[said.of];
      return of === undefined
        ? []
        : [{ said, ticket: of, duplicate: duplicates.find(({ id }) => id === of.id) ?? null }];
    });
  }, [ticket, view, duplicates, ...views]);
}

/** Hold tickets open for as long as they are named, and draw again whenever one of them changes. */
function useOpen(ids: string): readonly OpenTicket[] {
  const { console } = useDesk();
  const [open, setOpen] = useState<readonly OpenTicket[]>([]);
  useEffect(() => {
    const opened = ids === "" ? [] : ids.split(",").map((id) => console.open(id));
    setOpen(opened);
    const ends = opened.map((one) => one.view.subscribe(() => setOpen([...opened])));
    return () => {
      setOpen([]);
      for (const end of ends) {
        end();
      }
      for (const one of opened) {
        one.release();
      }
    };
  }, [console, ids]);
  return open;
}
