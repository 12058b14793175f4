/**
 * Stories: small concurrent histories, written as `"key: lane.transition < seen, seen"`.
 *
 * A story's opening is made by `opener`; each event is a transition whose actor is its key and whose time is its index.
 */

import { digestOf } from "./canonical.ts";
import { Fold } from "./fold.ts";
import type { LaneId, TransitionId } from "./ids.ts";
import { known, type Lifecycle, type Story } from "./model.ts";
import type { TicketState } from "./result.ts";
import { make, OPENING_NAME, type Transition } from "./transition.ts";

const OPENER = "opener";

const NAME = "[a-z][a-z0-9_]*";
const EVENT = new RegExp(
  `^(?<key>${NAME}): (?<lane>${NAME})\\.(?<name>${NAME})(?:\\((?<payload>${NAME}=[^()]*)\\))?` +
    `(?: < (?<seen>${NAME}(?:, ?${NAME})*))?$`,
);

/** The fold of a story, and the key of each of its transitions. */
interface Told {
  readonly fold: Fold;
  readonly keys: ReadonlyMap<TransitionId, string>;
}

/** Return the records of a story by key, each after its parents; the opening has the key `opener`. */
export function transitions(lifecycle: Lifecycle, story: Story): ReadonlyMap<string, Transition> {
  const opening = make({
    ticket: null,
    lane: lifecycle.control.id,
    name: OPENING_NAME,
    actor: OPENER,
    roles: lifecycle.openBy.slice(0, 1),
    after: [],
    lifecycle: lifecycle.digest,
    payload: null,
    at: 0,
    subject: "story",
  });
  const made = new Map([[OPENER, opening]]);
  const pasts = new Map<string, ReadonlySet<string>>([[OPENER, new Set()]]);
  for (const [at, text] of story.events.entries()) {
    const { key = "", lane = "", name = "", payload, seen } = EVENT.exec(text)?.groups ?? {};
    const sights = [...new Set(seen?.split(",").map((other) => other.trim()) ?? [OPENER])];
    pasts.set(key, new Set(sights.flatMap((other) => [other, ...known(pasts, other)])));
    const newest = sights.filter((other) => !sights.some((one) => known(pasts, one).has(other)));
    const declared = lifecycle.lanes.get(lane as LaneId)?.transitions.get(name);
    const transition = make({
      ticket: opening.id,
      lane: lane as LaneId,
      name,
      actor: key,
      // An undeclared transition is inert whatever its role; it still needs one to be a record.
      roles: declared?.by.slice(0, 1) ?? [OPENER],
      after: newest.map((other) => known(made, other).id),
      lifecycle: lifecycle.digest,
      payload: payload === undefined ? null : digestOf(payload),
      at,
    });
    made.set(key, transition);
  }
  return made;
}

/** Return the fold of a story. */
function folded(lifecycle: Lifecycle, story: Story): Told {
  const made = transitions(lifecycle, story);
  const fold = new Fold(lifecycle, known(made, OPENER).id);
  for (const transition of made.values()) {
    fold.add(transition);
  }
  return { fold, keys: new Map([...made].map(([key, transition]) => [transition.id, key])) };
}

/** Return how a story's outcome differs from what it expects, one sentence each; empty if the story holds. */
export function run(lifecycle: Lifecycle, story: Story): readonly string[] {
  const { fold, keys } = folded(lifecycle, story);
  const actual = outcome(fold.state(), keys);
  return [...story.expect].flatMap(([what, expected]) => {
    if (what === "flags") {
      const lanes = Object.entries(expected as { readonly [lane: string]: unknown });
      return lanes.flatMap(([lane, flags]) =>
        difference(`flags of ${lane}`, flags, fold.state().flags.get(lane as LaneId) ?? []),
      );
    }
    return difference(what, expected, actual.get(what));
  });
}

function outcome(state: TicketState, keys: ReadonlyMap<TransitionId, string>): ReadonlyMap<string, unknown> {
  const having = (wanted: string): readonly string[] =>
    [...state.status].filter(([, { status }]) => status === wanted).map(([id]) => known(keys, id));
  return new Map<string, unknown>([
    ...state.lanes,
    ["stage", state.stage],
    ["owes", [...new Set(state.obligations.flatMap((owed) => [...owed.owes.keys()]))]],
    ["overtaken", having("overtaken")],
    ["contested", having("contested")],
    ["inert", having("inert")],
  ]);
}

/** Lists are compared as sets: the file names members, and no order. */
function difference(what: string, expected: unknown, actual: unknown): readonly string[] {
  const [wanted, found] = [shown(expected), shown(actual)];
  return wanted === found ? [] : [`${what} is ${found}, expected ${wanted}`];
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.toSorted().join(", ")}]` : String(value);
}
