/** A department's console: the list, or one ticket, in the shell that both have. */

import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { BoardPage } from "./board_page.tsx";
import { useDesk } from "./context.ts";
import { type Filter, filterIn, searchOf } from "./list/filters.ts";
import { ListPage } from "./list/list_page.tsx";
import { atTop } from "./list/window.ts";
import { listPath } from "./places.ts";
import { go } from "./router.tsx";
import { Guard } from "./shell/guard.tsx";
import { useNotices } from "./shell/notices.ts";
import { Shell } from "./shell/shell.tsx";
import { useTabTitle } from "./shell/tab_title.ts";
import { TicketPage } from "./ticket/ticket_page.tsx";

interface Props {
  readonly ticket: string | null;
  readonly isBoard: boolean;
  readonly search: string | null; // the filter as the address of the list says it; null where another page is
}

export function Department({ ticket, isBoard, search }: Props): JSX.Element {
  const { console, person } = useDesk();
  const last = useRef("");
  last.current = search ?? last.current;
  const filter = useMemo(() => filterIn(last.current), [last.current]);
  const setFilter = (changed: Filter): void =>
    go(`${listPath(person.department)}${searchOf(changed)}`, { replace: search !== null });
  const cursor = useMemo(atTop, [filter]); // outlives a visit to a ticket, and begins anew with another filter
  useTabTitle(console, ticket, isBoard);
  useNotices(console, person.department);
  return (
    <Shell setFilter={setFilter}>
      <Guard key={ticket ?? ""}>
        {isBoard ? (
          <BoardPage />
        ) : ticket === null ? (
          <ListPage filter={filter} cursor={cursor} setFilter={setFilter} />
        ) : (
          <TicketPage id={ticket} />
        )}
      </Guard>
    </Shell>
  );
}
