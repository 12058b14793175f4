/** Choosing another ticket by a few letters of its title or its customer, and never by its id. */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import type { TicketId, TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { EVERYTHING_OPEN, fitting, type View } from "../list/filters.ts";
import { useWords } from "../preferences.ts";
import { useReadable } from "../use.ts";

const FOUND_MAX = 8; // those that changed last

interface Props {
  readonly tickets: readonly TicketRow[];
  readonly view: View;
  readonly label: string;
  readonly legend: string;
  readonly chosen: TicketId | null;
  readonly choose: (id: TicketId | null) => void;
}

export function TicketChoice({ tickets, view, label, legend, chosen, choose }: Props): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const [query, setQuery] = useState("");
  const lifecycles = useReadable(console.lifecycles);
  const found = useMemo(
    () => fitting(tickets, { ...EVERYTHING_OPEN, view, query }, person.department, lifecycles).slice(0, FOUND_MAX),
    [tickets, lifecycles, view, query],
  );
  const isSeen = chosen === null || found.some(({ id }) => id === chosen);
  useLayoutEffect(() => {
    if (!isSeen) {
      choose(null); // what is out of sight is not what somebody means
    }
  }, [isSeen]);
  return (
    <>
      <label>
        {label}
        <input type="search" maxLength={256} value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
      </label>
      <fieldset class="choices">
        <legend>{legend}</legend>
        {found.length === 0 && <p class="quiet">{words("palette_none")}</p>}
        {found.map(({ id, title, customer }) => (
          <label key={id}>
            <input type="radio" name="ticket" checked={id === chosen} onChange={() => choose(id)} />
            <span>
              {title || words("untitled")} <span class="quiet">{customer}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </>
  );
}
