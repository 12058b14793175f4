/** Who has a lane: seen by all, taken by those whose department owns it, and handed over by everybody who takes part. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Lane, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { OpenTicket, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { useLanguage, useWords } from "../preferences.ts";
import { usePageCommands } from "../shell/commands.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { useKept } from "../use_kept.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
  readonly lane: Lane;
}

export function Holders({ ticket, view, lifecycle, lane }: Props): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const [isHanding, setHanding] = useState(false);
  const { attempt, problem, isBusy } = useAttempt();
  const holders = view.holders.get(lane.id) ?? [];
  const has = holders.find((holder) => holder.has);
  const isOwn = lane.owner === person.department;
  const canTake = isOwn && has?.actor !== person.actor;
  const take = (): void => attempt(() => ticket.take(lane.id));
  const name = label(lifecycle, lane.id, language);
  usePageCommands(
    [
      ...(canTake ? [{ label: words("command_of", { command: words("take"), what: name }), run: take }] : []),
      { label: words("command_of", { command: words("transfer"), what: name }), run: () => setHanding(true) },
    ],
    `${ticket.id} ${lane.id}`,
  );
  return (
    <div class="holders">
      <span class="holder">{has?.actor ?? words("nobody")}</span>
      {holders
        .filter((holder) => !holder.has)
        .map(({ actor }) => (
          <span key={actor} class="badge">
            {words("also_took", { actor })}
          </span>
        ))}
      {canTake && (
        <button type="button" disabled={isBusy} onClick={take}>
          {words("take")}
        </button>
      )}
      <button type="button" onClick={() => setHanding(true)}>
        {words("transfer")}
      </button>
      <Failure problem={problem} />
      {isHanding && <HandOver ticket={ticket} lifecycle={lifecycle} lane={lane} close={() => setHanding(false)} />}
    </div>
  );
}

interface HandOverProps {
  readonly ticket: OpenTicket;
  readonly lifecycle: Lifecycle;
  readonly lane: Lane;
  readonly close: () => void;
}

function HandOver({ ticket, lifecycle, lane, close }: HandOverProps): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const [{ actor = "" }, keepTyped] = useKept(`hand over.${ticket.id}.${lane.id}`);
  const end = (): void => {
    keepTyped(null);
    close();
  };
  const { attempt, problem, isBusy } = useAttempt();
  const { rows } = console.tickets.snapshot();
  const known = new Set(rows.flatMap((row) => row.assignees.get(lane.id) ?? []));
  if (lane.owner === person.department) {
    known.add(person.actor);
  }
  const name = words("transfer_to", { lane: label(lifecycle, lane.id, language) });
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(async () => {
      await ticket.transfer(lane.id, actor.trim() || null);
      end();
    });
  };
  return (
    <Dialog label={name} close={close}>
      <form onSubmit={submit}>
        <label>
          {name}
          <input
            list="people"
            maxLength={128}
            placeholder={words("nobody")}
            value={actor}
            onInput={(event) => keepTyped({ actor: event.currentTarget.value })}
          />
        </label>
        <datalist id="people">
          {[...known].map((other) => (
            <option key={other} value={other} />
          ))}
        </datalist>
        <Failure problem={problem} />
        <div class="buttons">
          <button type="button" onClick={end}>
            {words("cancel")}
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {words("transfer")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
