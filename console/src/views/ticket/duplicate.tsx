/** That a ticket is a duplicate: said at its head with the way on, marked in a dialog, and taken back. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { OpenTicket, TicketId, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { ticketPath } from "../places.ts";
import { useWords } from "../preferences.ts";
import { Link } from "../router.tsx";
import { usePageCommands } from "../shell/commands.ts";
import { useReadable } from "../use.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { isWord } from "../words.ts";
import { TicketChoice } from "./ticket_choice.tsx";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
}

/** Where the work of a duplicate goes on; nothing on a ticket that is none. */
export function DuplicateOf({ ticket, view }: Props): JSX.Element | null {
  const { console } = useDesk();
  const words = useWords();
  const { attempt, problem, isBusy } = useAttempt();
  const clear = (): void => attempt(() => console.clearDuplicate(ticket.id));
  const canClear = view.canConverse && view.row.duplicateOf !== null;
  usePageCommands(canClear ? [{ label: words("duplicate_clear"), run: clear }] : [], ticket.id);
  if (view.row.duplicateOf === null) {
    return null;
  }
  return (
    <section class="duplicate-of" aria-label={words("duplicate")}>
      <p>
        {words("duplicate_of")} <TicketLink id={view.row.duplicateOf} />
      </p>
      {canClear && (
        <button type="button" disabled={isBusy} onClick={clear}>
          {words("duplicate_clear")}
        </button>
      )}
      <Failure problem={problem} />
    </section>
  );
}

/** A ticket by its title, if the list has it. */
export function TicketLink({ id }: { readonly id: TicketId }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const row = useReadable(console.tickets).rows.find((one) => one.id === id);
  return <Link to={ticketPath(person.department, id)}>{row?.title || words("untitled")}</Link>;
}

/** The button that asks of which ticket this one is a duplicate. */
export function MarkDuplicate({ ticket, view }: Props): JSX.Element | null {
  const words = useWords();
  const [isOpen, setOpen] = useState(false);
  const canMark = view.canConverse && view.row.duplicateOf === null;
  const name = `${words("duplicate_mark")}…`;
  usePageCommands(canMark ? [{ label: name, run: () => setOpen(true) }] : [], ticket.id);
  if (!canMark) {
    return null;
  }
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {name}
      </button>
      {isOpen && <Choice ticket={ticket} close={() => setOpen(false)} />}
    </>
  );
}

function Choice({ ticket, close }: { readonly ticket: OpenTicket; readonly close: () => void }): JSX.Element {
  const { console } = useDesk();
  const words = useWords();
  const [chosen, setChosen] = useState<TicketId | null>(null);
  const [asked, setAsked] = useState<TicketId | null>(null); // of which one the service has said what is wrong
  const { attempt, problem, isBusy } = useAttempt();
  const { rows } = useReadable(console.tickets);
  const tickets = useMemo(
    () => rows.filter(({ id, duplicateOf, isLocal }) => id !== ticket.id && duplicateOf === null && !isLocal),
    [rows, ticket],
  ); // duplicates are found under the ticket in which their work goes on
  const told = problem === null || asked !== chosen ? "" : `duplicate_${problem.code}`;
  const mark = (isSameCustomer: boolean): void => {
    if (chosen !== null) {
      setAsked(chosen);
      attempt(async () => {
        if (isSameCustomer) {
          await console.link(ticket.id, chosen);
        }
        await console.markDuplicate(ticket.id, chosen);
        close();
      });
    }
  };
  return (
    <Dialog label={words("duplicate_mark")} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          mark(false);
        }}
      >
        <h2>{words("duplicate_mark")}</h2>
        <TicketChoice
          tickets={tickets}
          view="open"
          label={words("duplicate_search")}
          legend={words("duplicate_choose")}
          chosen={chosen}
          choose={setChosen}
        />
        <p class="quiet">{words("duplicate_told")}</p>
        {isWord(told) ? <p role="alert">{words(told)}</p> : <Failure problem={asked === chosen ? problem : null} />}
        <div class="buttons">
          <button type="button" onClick={close}>
            {words("cancel")}
          </button>
          {told === "duplicate_other_customer" && (
            <button type="button" disabled={isBusy} onClick={() => mark(true)}>
              {words("duplicate_same_customer")}
            </button>
          )}
          <button type="submit" class="primary" disabled={isBusy || chosen === null}>
            {words("duplicate_mark")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
