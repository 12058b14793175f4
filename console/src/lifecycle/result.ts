/** What a fold says about a ticket, as immutable values; it never decides anything itself. */

import type { Json } from "./canonical.ts";
import type { LaneId, TransitionId } from "./ids.ts";
import type { Owed, StageKind } from "./model.ts";

/** Why a transition has no effect. The first seven are the checks of a transition, in their order. */
export type Code =
  | "ticket"
  | "after"
  | "lifecycle"
  | "unknown"
  | "role"
  | "from"
  | "if"
  | "malformed"
  | "lifecycle_unknown";

/** Whether a transition may have an effect, for ever: or the first check that failed. */
export type Verdict = "valid" | Code;

/** Why one head gives way to another, in the order in which reasons are named. */
export const REASONS = ["round", "order", "settled"] as const;
export type Reason = (typeof REASONS)[number];

/** What a person should look at in a lane, although its state is decided. */
export type Flag = "overtaken" | "payload_conflict";

/**
 * What has become of one transition; `by` (sorted) names the transitions that made it so.
 *
 * Only under a file that no checker has passed can heads overtake each other in a circle, and `because` be absent.
 */
export type Status =
  | { readonly status: "effective" }
  | { readonly status: "superseded" | "contested"; readonly by: readonly TransitionId[] }
  | { readonly status: "overtaken"; readonly because?: Reason; readonly by: readonly TransitionId[] }
  | { readonly status: "inert"; readonly code: Code };

/** Something owed now: any one of the transitions of `owes` discharges it. `trigger` (sorted) is what caused it. */
export interface OpenObligation {
  readonly row: string | null;
  readonly owes: Owed;
  readonly trigger: readonly TransitionId[];
}

/**
 * Everything that follows from a set of transitions; a ticket whose opening is not there has only `pending`.
 *
 * `pending` names what each waiting transition lacks, `quarantined` what belongs to no view of this ticket, `codes` the
 * whole view if its lifecycle is another than the one at hand.
 */
export interface TicketState {
  readonly ticket: TransitionId | null;
  readonly lanes: ReadonlyMap<LaneId, string>;
  readonly flags: ReadonlyMap<LaneId, readonly Flag[]>;
  readonly stage: string | null;
  readonly kind: StageKind | null;
  readonly obligations: readonly OpenObligation[];
  readonly status: ReadonlyMap<TransitionId, Status>;
  readonly pending: ReadonlyMap<TransitionId, readonly TransitionId[]>;
  readonly quarantined: ReadonlyMap<TransitionId, Code>;
  readonly codes: ReadonlyMap<TransitionId, Code>;
}

export const NOTHING: TicketState = {
  ticket: null,
  lanes: new Map(),
  flags: new Map(),
  stage: null,
  kind: null,
  obligations: [],
  status: new Map(),
  pending: new Map(),
  quarantined: new Map(),
  codes: new Map(),
};

/** The plain form that `crdt-sync lifecycle fold` prints, except that `quarantined` is keyed by id. */
export function toJson(state: TicketState): { readonly [key: string]: Json } {
  return {
    ticket: state.ticket,
    lanes: Object.fromEntries(state.lanes),
    flags: Object.fromEntries(state.flags),
    stage: state.stage,
    kind: state.kind,
    obligations: state.obligations.map((owed) => ({ ...owed, owes: Object.fromEntries(owed.owes) })),
    status: Object.fromEntries(state.status),
    pending: Object.fromEntries(state.pending),
    quarantined: Object.fromEntries(state.quarantined),
    codes: Object.fromEntries(state.codes),
  };
}
