/** Making a move from wherever it is offered: at once, or asked about first. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Lifecycle } from "../../lifecycle/model.ts";
import type { Move, OpenTicket, Problem } from "../../store/types.ts";
import { useAttempt } from "../use_attempt.tsx";
import { MoveDialog } from "./move_dialog.tsx";

interface Moves {
  readonly start: (move: Move) => void;
  readonly problem: Problem | null;
  readonly isBusy: boolean;
  readonly dialog: JSX.Element | null; // to be drawn where the moves are
}

/** Tell whether somebody is asked before a move is made: it carries something, or the ticket ends with it. */
export function asksFirst({ payload, ends }: Move): boolean {
  return payload.size > 0 || ends !== null;
}

export function useMoves(ticket: OpenTicket, lifecycle: Lifecycle): Moves {
  const [asked, setAsked] = useState<Move | null>(null);
  const { attempt, problem, isBusy } = useAttempt();
  const start = (move: Move): void => {
    if (asksFirst(move)) {
      setAsked(move);
    } else {
      attempt(() => ticket.move(move.lane, move.name));
    }
  };
  const dialog =
    asked === null ? null : (
      <MoveDialog ticket={ticket} lifecycle={lifecycle} move={asked} close={() => setAsked(null)} />
    );
  return { start, problem, isBusy, dialog };
}
