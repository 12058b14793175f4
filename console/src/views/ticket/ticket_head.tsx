/** The head of a ticket: its title, its stage, and who else is here. */

import type { JSX } from "preact";
import type { TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLabels } from "../labels.ts";
import { PageTitle } from "../page_title.tsx";
import { useWords } from "../preferences.ts";
import { backToList, Link } from "../router.tsx";

interface Props {
  readonly view: TicketView;
  readonly stage: string | null;
}

export function TicketHead({ view, stage }: Props): JSX.Element {
  const { console, person } = useDesk();
  const label = useLabels(console);
  const words = useWords();
  const others = view.present.filter(({ isHere }) => !isHere);
  const who = others.map(({ actor, department }) => `${actor} (${label(department)})`).join(", ");
  return (
    <header class="ticket-head">
      <Link to={backToList(person.department)} class="button" aria-label={words("back")}>
        ←
      </Link>
      <PageTitle>{view.row.title || words("untitled")}</PageTitle>
      <span class={`stage-badge ${view.kind ?? "unknown"}`}>{stage ?? words("no_stage_yet")}</span>
      <span class="customer" title={view.row.customer}>
        {view.row.customer}
      </span>
      <span class="present" role="status">
        {others.length > 0 && words("present", { who })}
      </span>
    </header>
  );
}
