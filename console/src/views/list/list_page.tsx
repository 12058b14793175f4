/** The department's list: filters at the side, a search, and the rows. */

import "./style.css";
import type { JSX, TargetedKeyboardEvent } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { isComposed } from "../input_method.ts";
import { NewTicket } from "../new_ticket.tsx";
import { PageTitle } from "../page_title.tsx";
import { ticketPath } from "../places.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { go } from "../router.tsx";
import { useReadable } from "../use.ts";
import { useKeys } from "../use_keys.ts";
import { useNow } from "../use_now.ts";
import { FilterBar } from "./filter_bar.tsx";
import { type Filter, fitting } from "./filters.ts";
import { Row } from "./row.tsx";
import type { Cursor } from "./window.ts";
import { Windowed } from "./windowed.tsx";

interface Props {
  readonly filter: Filter;
  readonly cursor: Cursor;
  readonly setFilter: (filter: Filter) => void;
}

export function ListPage({ filter, cursor, setFilter }: Props): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const now = useNow();
  const { rows, isComplete } = useReadable(console.tickets);
  const lifecycles = useReadable(console.lifecycles);
  const shown = useMemo(
    () => fitting(rows, filter, person.department, lifecycles),
    [rows, filter, person.department, lifecycles],
  );
  const search = useRef<HTMLInputElement>(null);
  const [isNew, setNew] = useState(false);
  useKeys((key) => {
    if (key !== "/") {
      return false;
    }
    search.current?.focus();
    return true;
  });
  /** Escape and Enter give the keys back to the list; Escape as it was before the search. */
  const leave = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    if ((event.key !== "Escape" && event.key !== "Enter") || isComposed(event)) {
      return;
    }
    if (event.key === "Escape") {
      event.preventDefault(); // the browser would empty the field alone
      setFilter({ ...filter, query: "" });
    }
    event.currentTarget.blur();
  };
  return (
    <div class="list-page">
      <FilterBar filter={filter} setFilter={setFilter} rows={rows} />
      <main aria-busy={!isComplete}>
        <div class="toolbar">
          <PageTitle class="visually-hidden">{words("tickets")}</PageTitle>
          <input
            type="search"
            ref={search}
            aria-label={words("search")}
            placeholder={words("search_hint")}
            value={filter.query}
            onInput={(event) => setFilter({ ...filter, query: event.currentTarget.value })}
            onKeyDown={leave}
          />
          <span class="count" role="status">
            {words("list_count", { count: new Intl.NumberFormat(language).format(shown.length) })}
            {!isComplete && ` · ${words("list_partial")}`}
          </span>
          <button type="button" class="primary" onClick={() => setNew(true)}>
            {words("new_ticket")}
          </button>
        </div>
        {shown.length === 0 && <p class="empty">{words(emptiness(rows, isComplete))}</p>}
        <Windowed
          items={shown}
          isComplete={isComplete}
          cursor={cursor}
          keyOf={(row) => row.id}
          label={words("tickets")}
          draw={(row, isCurrent, isStop) => (
            <Row row={row} lifecycle={lifecycles.get(row.lifecycle)} now={now} isCurrent={isCurrent} isStop={isStop} />
          )}
          enter={(row) => go(ticketPath(person.department, row.id))}
        />
      </main>
      {isNew && <NewTicket close={() => setNew(false)} />}
    </div>
  );
}

function emptiness(rows: readonly TicketRow[], isComplete: boolean): "list_none" | "list_empty" | "loading" {
  if (rows.length > 0) {
    return "list_none";
  }
  return isComplete ? "list_empty" : "loading";
}
