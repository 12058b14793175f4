/** The operations board of a department: figures of what it may know, as they are now. */

import "./style.css";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Console, Person } from "../store/types.ts";
import { useLabels } from "../views/labels.ts";
import { PageTitle } from "../views/page_title.tsx";
import { useReadable } from "../views/use.ts";
import { useNow } from "../views/use_now.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { type Board, openBoard } from "./open.ts";
import { Channels, FlowByDay, ObligationsByAge, Responses, Stages } from "./panels.tsx";
import { ServicePanel } from "./service_panel.tsx";
import { StuckTickets } from "./stuck_tickets.tsx";
import { useBoardWords } from "./words.ts";

const DAY_MS = 86_400_000;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

interface Props {
  readonly console: Console;
  readonly person: Person;
}

export function OperationsBoard({ console, person }: Props): JSX.Element {
  const [board, setBoard] = useState<Board | null>(null);
  useEffect(() => {
    const opened = openBoard(person, console.tokens, ZONE);
    const goOn = console.session.subscribe(() => {
      if (console.session.snapshot().status === "signed_in") {
        opened.allow();
      }
    });
    setBoard(opened);
    return () => {
      goOn();
      opened.close();
    };
  }, [console, person.department, person.actor]);
  return board === null ? <main class="board" /> : <Shown board={board} console={console} person={person} />;
}

function Shown({ board, console, person }: Props & { readonly board: Board }): JSX.Element {
  const words = useBoardWords();
  const label = useLabels(console);
  const picture = useReadable(board.picture);
  const now = useNow();
  const [quietDays, setQuietDays] = useState(3);
  const figures = useMemo(() => figuresOf(picture.ledger, now, quietDays * DAY_MS), [picture, now, quietDays]);
  return (
    <main class="board">
      <header class="board-head">
        <PageTitle>{words("board")}</PageTitle>
        <span class="quiet">{words("of_department", { department: label(person.department) })}</span>
      </header>
      <State board={board} />
      {picture.isHeard ? (
        <>
          <Totals figures={figures} />
          <div class="panels">
            <Stages figures={figures} console={console} />
            <FlowByDay figures={figures} />
            <ObligationsByAge figures={figures} console={console} />
            <StuckTickets {...{ figures, console, person, now, quietDays, setQuietDays }} />
            <Responses figures={figures} console={console} />
            <Channels figures={figures} />
            <ServicePanel service={board.service} department={label(person.department)} />
          </div>
        </>
      ) : (
        <p role="status">{words("loading")}</p>
      )}
    </main>
  );
}

/** How current the figures are, and whose days they count. */
function State({ board }: { readonly board: Board }): JSX.Element {
  const words = useBoardWords();
  const { status, problem } = useReadable(board.link);
  const { isHeard, isBehind, isKept } = useReadable(board.picture);
  return (
    <div class="board-state" role="status">
      {status === "offline" && <p>{words("offline")}</p>}
      {status === "stopped" && <p class="bad">{words("stopped", { message: problem?.message ?? "" })}</p>}
      {isHeard && isBehind && <p>{words("loading")}</p>}
      {!isKept && <p class="bad">{words("not_kept")}</p>}
      <p class="quiet">{words("days_of", { zone: ZONE })}</p>
    </div>
  );
}

function Totals({ figures }: { readonly figures: Figures }): JSX.Element {
  const words = useBoardWords();
  const totals = [
    ["open", figures.open],
    ["overdue", figures.overdue],
    ["stuck", figures.stuck.length],
    ["waiting", figures.waiting],
  ] as const;
  return (
    <dl class="totals">
      {totals.map(([name, value]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
