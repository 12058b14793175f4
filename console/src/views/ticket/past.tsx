/** The customer's other tickets, across channels, and saying that another ticket is of the same customer. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { OpenTicket, TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { ticketPath } from "../places.ts";
import { useWords } from "../preferences.ts";
import { Link } from "../router.tsx";
import { Failure, useAttempt } from "../use_attempt.tsx";

export function Past({ ticket }: { readonly ticket: OpenTicket }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const [rows, setRows] = useState<readonly TicketRow[] | null>(null);
  const [other, setOther] = useState("");
  const { attempt, problem } = useAttempt();
  const look = async (): Promise<void> => setRows(await console.past(ticket.id));
  const link = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(async () => {
      await console.link(ticket.id, other.trim());
      setOther("");
      await look();
    });
  };
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
      <form onSubmit={link}>
        <label>
          {words("link_same")}
          <input
            required
            maxLength={64}
            placeholder={words("ticket_id")}
            value={other}
            onInput={(event) => setOther(event.currentTarget.value)}
          />
        </label>
        <button type="submit">{words("link")}</button>
      </form>
    </details>
  );
}
