/** The customer's other tickets, across channels, and saying that another ticket is of the same customer. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { OpenTicket, TicketId, TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { ticketPath } from "../places.ts";
import { useWords } from "../preferences.ts";
import { Link } from "../router.tsx";
import { useReadable } from "../use.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { TicketChoice } from "./ticket_choice.tsx";

export function Past({ ticket }: { readonly ticket: OpenTicket }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const [rows, setRows] = useState<readonly TicketRow[] | null>(null);
  const [isLinking, setLinking] = useState(false);
  const { attempt, problem } = useAttempt();
  const look = async (): Promise<void> => setRows(await console.past(ticket.id));
  return (
    <details class="past" onToggle={(event) => event.currentTarget.open && rows === null && attempt(look)}>
      <summary>{words("past")}</summary>
      <Failure problem={problem} />
      {rows?.length === 0 && <p class="quiet">{words("past_none")}</p>}
      <ul>
        {rows?.map((row) => (
          <li key={row.id}>
            <Link to={ticketPath(person.department, row.id)}>{row.title || words("untitled")}</Link>
          </li>
        ))}
      </ul>
      <button type="button" onClick={() => setLinking(true)}>
        {words("link_same")}
      </button>
      {isLinking && <SameCustomer ticket={ticket} linked={look} close={() => setLinking(false)} />}
    </details>
  );
}

interface SameCustomerProps {
  readonly ticket: OpenTicket;
  readonly linked: () => Promise<void>;
  readonly close: () => void;
}

function SameCustomer({ ticket, linked, close }: SameCustomerProps): JSX.Element {
  const { console } = useDesk();
  const words = useWords();
  const [chosen, setChosen] = useState<TicketId | null>(null);
  const { attempt, problem, isBusy } = useAttempt();
  const { rows } = useReadable(console.tickets);
  const tickets = useMemo(() => rows.filter(({ id, isLocal }) => id !== ticket.id && !isLocal), [rows, ticket]);
  const link = (event: SubmitEvent): void => {
    event.preventDefault();
    if (chosen !== null) {
      attempt(async () => {
        await console.link(ticket.id, chosen);
        await linked();
        close();
      });
    }
  };
  return (
    <Dialog label={words("link_same")} close={close}>
      <form onSubmit={link}>
        <h2>{words("link_same")}</h2>
        <TicketChoice
          tickets={tickets}
          view="all"
          label={words("link_search")}
          legend={words("link_choose")}
          chosen={chosen}
          choose={setChosen}
        />
        <Failure problem={problem} />
        <div class="buttons">
          <button type="button" onClick={close}>
            {words("cancel")}
          </button>
          <button type="submit" class="primary" disabled={isBusy || chosen === null}>
            {words("link")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
