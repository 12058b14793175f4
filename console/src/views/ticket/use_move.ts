/** Making a move from wherever it is offered. */

import type { Move, OpenTicket, Problem } from "../../store/types.ts";
import { useAttempt } from "../use_attempt.tsx";

interface Making {
  readonly make: (move: Move, payload?: Readonly<Record<string, string | number>>, done?: () => void) => void;
  readonly problem: Problem | null;
  readonly isBusy: boolean;
}

export function useMove(ticket: OpenTicket): Making {
  const { attempt, problem, isBusy } = useAttempt();
  const make: Making["make"] = (move, payload, done) =>
    attempt(async () => {
      await ticket.move(move.lane, move.name, payload);
      done?.();
    });
  return { make, problem, isBusy };
}
