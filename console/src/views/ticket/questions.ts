/** What of a ticket did not go as somebody meant, and who can do something about it. Pure. */

import type { LaneId } from "../../lifecycle/ids.ts";
import type { Step, TicketView } from "../../store/types.ts";

/** Steps of a lane to which the same happened. */
export interface Question {
  readonly lane: LaneId;
  readonly what: "overtaken" | "contested" | "inert";
  readonly steps: readonly Step[];
}

type Seen = Pick<TicketView, "history" | "flags" | "moves" | "obligations">;

const WHATS = ["contested", "overtaken", "inert"] as const;

/** Return what somebody should look at: what keeps a conflict or a flag up, and own work without effect that is fresh. */
export function questionsOf(view: Seen): readonly Question[] {
  const lanes = new Set(view.history.map(({ lane }) => lane));
  return [...lanes].flatMap((lane) =>
    WHATS.map((what) => ({
      lane,
      what,
      steps: view.history.filter((step) => step.lane === lane && isOpen(step, what, view)),
    })).filter(({ steps }) => steps.length > 0),
  );
}

function isOpen(step: Step, what: Question["what"], view: Seen): boolean {
  if (step.status.status !== what) {
    return false;
  }
  switch (what) {
    case "contested":
      return true;
    case "overtaken":
      return view.flags.has(step.lane);
    case "inert":
      return step.isOwn && step.delivery !== "saved";
  }
}

/** Return what this person can do in a lane now, and otherwise the roles that what is owed there waits for. */
export function waysOn(
  lane: LaneId,
  view: Seen,
): { readonly possible: readonly string[]; readonly who: readonly string[] } {
  const moves = view.moves.filter((move) => move.lane === lane);
  const owed = new Set(view.obligations.flatMap(({ owes }) => owes.get(lane) ?? []));
  const owing = moves.filter(({ name }) => owed.has(name));
  return {
    possible: moves.filter(({ why }) => why === null).map(({ name }) => name),
    who: [...new Set((owing.length > 0 ? owing : moves).flatMap(({ by }) => by))],
  };
}
