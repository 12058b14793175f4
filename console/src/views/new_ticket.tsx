/** A new ticket, offline if need be. */

import type { JSX } from "preact";
import { useDesk } from "./context.ts";
import { Dialog } from "./dialog.tsx";
import { ticketPath } from "./places.ts";
import { useWords } from "./preferences.ts";
import { go } from "./router.tsx";
import { Failure, useAttempt } from "./use_attempt.tsx";
import { useKept } from "./use_kept.ts";

export function NewTicket({ close }: { readonly close: () => void }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const [typed, keepTyped] = useKept("new ticket");
  const { title = "", customer = "" } = typed;
  const { attempt, problem, isBusy } = useAttempt();
  const end = (): void => {
    keepTyped(null);
    close();
  };
  const create = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(async () => {
      const ticket = await console.create(title.trim(), customer.trim() ? { customer: customer.trim() } : {});
      end();
      go(ticketPath(person.department, ticket));
    });
  };
  return (
    <Dialog label={words("new_ticket")} close={close}>
      <form onSubmit={create}>
        <h2>{words("new_ticket")}</h2>
        <label>
          {words("title")}
          <input
            required
            maxLength={256}
            value={title}
            onInput={(event) => keepTyped({ ...typed, title: event.currentTarget.value })}
          />
        </label>
        <label>
          {words("customer")}
          <input
            maxLength={256}
            value={customer}
            onInput={(event) => keepTyped({ ...typed, customer: event.currentTarget.value })}
          />
        </label>
        <Failure problem={problem} />
        <div class="buttons">
          <button type="button" onClick={end}>
            {words("cancel")}
          </button>
          <button type="submit" class="primary" disabled={isBusy || !title.trim()}>
            {words("create")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
