/** A department's console: the list, or one ticket, in the shell that both have. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { BoardPage } from "./board_page.tsx";
import { useDesk } from "./context.ts";
import { EVERYTHING_OPEN, type Filter } from "./list/filters.ts";
import { ListPage } from "./list/list_page.tsx";
import { atTop } from "./list/window.ts";
import { Guard } from "./shell/guard.tsx";
import { useNotices } from "./shell/notices.ts";
import { Shell } from "./shell/shell.tsx";
import { TicketPage } from "./ticket/ticket_page.tsx";

interface Props {
  readonly ticket: string | null;
  readonly isBoard: boolean;
}

export function Department({ ticket, isBoard }: Props): JSX.Element {
  const { console, person } = useDesk();
  const [filter, setFilter] = useState<Filter>(EVERYTHING_OPEN);
  const cursor = useMemo(atTop, [filter]); // outlives a visit to a ticket, and begins anew with another filter
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
