/** Who has a lane: seen by all, taken by those whose department owns it, and handed over by everybody who takes part. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Lane, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Colleague, OpenTicket, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { useLanguage, useWords } from "../preferences.ts";
import { usePageCommands } from "../shell/commands.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";

const TO = "to:"; // begins what stands for somebody, whatever he is called
const NOBODY = "nobody";

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

/** Nobody is typed: of the own department the service says who there is, of another one only its cards do. */
function HandOver({ ticket, lifecycle, lane, close }: HandOverProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { attempt, problem, isBusy } = useAttempt();
  const [chosen, setChosen] = useState("");
  const people = usePeople(lane);
  const name = words("transfer_to", { lane: label(lifecycle, lane.id, language) });
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(async () => {
      await ticket.transfer(lane.id, chosen === NOBODY ? null : chosen.slice(TO.length));
      close();
    });
  };
  return (
    <Dialog label={name} close={close}>
      <form onSubmit={submit}>
        <label>
          {name}
          <select required value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
            <option value="" disabled>
              {words("transfer_choose")}
            </option>
            {people.map(({ actor, name: shown }) => (
              <option key={actor} value={`${TO}${actor}`}>
                {shown ? words("person_named", { name: shown, actor }) : actor}
              </option>
            ))}
            <option value={NOBODY}>
              {words("transfer_nobody", { department: label(lifecycle, lane.owner, language) })}
            </option>
          </select>
        </label>
        <Failure problem={problem} />
        <div class="buttons">
          <button type="button" onClick={close}>
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

/** Who may be given a lane: who has one like it in a ticket that is here, and the colleagues if it is one's own. */
function usePeople(lane: Lane): readonly Colleague[] {
  const { console, person } = useDesk();
  const [told, setTold] = useState<readonly Colleague[]>([]);
  const isOwn = lane.owner === person.department;
  useEffect(() => {
    if (isOwn) {
      console.colleagues().then(setTold, () => undefined); // offline there are those whom the tickets name
    }
  }, [console, isOwn]);
  const { rows } = console.tickets.snapshot();
  const seen = rows.flatMap((row) => row.assignees.get(lane.id) ?? []);
  const known = new Map([...(isOwn ? [person.actor] : []), ...seen].map((actor) => [actor, ""]));
  for (const { actor, name } of told) {
    known.set(actor, name);
  }
  return [...known].map(([actor, name]) => ({ actor, name })).sort((one, other) => (one.actor < other.actor ? -1 : 1));
}
