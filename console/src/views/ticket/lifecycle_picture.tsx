/** The lifecycle as it stands: every lane with its states, what can be done in it, and why the rest cannot. */

import "./lifecycle.css";
import type { JSX } from "preact";
import { type Lane, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Move, OpenTicket, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { usePageCommands } from "../shell/commands.ts";
import { Failure } from "../use_attempt.tsx";
import { Holders } from "./holders.tsx";
import { LanePicture } from "./lane_picture.tsx";
import { asksFirst, useMoves } from "./use_moves.tsx";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

export function LifecyclePicture({ ticket, view, lifecycle }: Props): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const lanes = [...lifecycle.lanes.values()];
  const own = lanes.filter(({ owner }) => owner === person.department);
  const others = lanes.filter(({ owner }) => owner !== person.department);
  return (
    <section aria-labelledby="lifecycle-title" class="lifecycle">
      <h2 id="lifecycle-title">{words("lifecycle")}</h2>
      {[...own, ...others].map((lane) => (
        <LaneBlock key={lane.id} ticket={ticket} view={view} lifecycle={lifecycle} lane={lane} />
      ))}
    </section>
  );
}

function LaneBlock({ ticket, view, lifecycle, lane }: Props & { readonly lane: Lane }): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const moves = view.moves.filter((move) => move.lane === lane.id);
  const enabled = moves.filter(({ why }) => why === null);
  const flags = view.flags.get(lane.id) ?? [];
  const value = view.lanes.get(lane.id) ?? lane.initial;
  const isOwn = lane.owner === person.department;
  return (
    <div class={isOwn ? "lane own" : "lane"}>
      <div class="lane-head">
        <h3>
          {label(lifecycle, lane.id, language)}
          <span class={lane.conflicts.has(value) || value.includes("|") ? "value contested" : "value"}>
            {value
              .split("|")
              .map((part) => label(lifecycle, `${lane.id}.${part}`, language))
              .join(" / ")}
          </span>
          {flags.map((flag) => (
            <span key={flag} class="badge bad">
              {words(flag === "overtaken" ? "overtaken" : "contested")}
            </span>
          ))}
        </h3>
        <Holders ticket={ticket} view={view} lifecycle={lifecycle} lane={lane} />
      </div>
      <LanePicture lifecycle={lifecycle} lane={lane} value={value} moves={moves} />
      {isOwn && <Moves ticket={ticket} lifecycle={lifecycle} enabled={enabled} />}
      <WhyNot lifecycle={lifecycle} moves={moves.filter(({ why }) => why !== null)} isOwn={isOwn} />
    </div>
  );
}

interface MovesProps {
  readonly ticket: OpenTicket;
  readonly lifecycle: Lifecycle;
  readonly enabled: readonly Move[];
}

function Moves({ ticket, lifecycle, enabled }: MovesProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { start, problem, isBusy, dialog } = useMoves(ticket, lifecycle);
  const named = enabled.map((move) => ({
    move,
    name: `${label(lifecycle, `${move.lane}.${move.name}`, language)}${asksFirst(move) ? "…" : ""}`,
  }));
  const commands = named.map(({ move, name }) => ({ label: name, run: () => start(move) }));
  usePageCommands(commands, `${ticket.id} ${enabled.map(({ name, ends }) => `${name} ${ends}`).join()}`);
  if (enabled.length === 0) {
    return <p class="quiet">{words("no_moves")}</p>;
  }
  return (
    <div class="moves">
      {named.map(({ move, name }) => (
        <button key={move.name} type="button" disabled={isBusy} onClick={() => start(move)}>
          {name}
        </button>
      ))}
      <Failure problem={problem} />
      {dialog}
    </div>
  );
}

interface WhyNotProps {
  readonly lifecycle: Lifecycle;
  readonly moves: readonly Move[];
  readonly isOwn: boolean;
}

function WhyNot({ lifecycle, moves, isOwn }: WhyNotProps): JSX.Element | null {
  const words = useWords();
  const language = useLanguage();
  if (moves.length === 0) {
    return null;
  }
  return (
    <details class="why-not">
      <summary>{words("not_enabled", { count: moves.length })}</summary>
      <ul>
        {moves.map((move) => (
          <li key={move.name} class={isOwn ? "" : "quiet"}>
            <b>{label(lifecycle, `${move.lane}.${move.name}`, language)}</b>: {move.reason[language]}
          </li>
        ))}
      </ul>
    </details>
  );
}
