/**
 * How the concurrent transitions of one lane become one state: which overtakes which, flags, and what became of each.
 *
 * Pure functions of what causality left over; they never look at another lane, at a clock or at who acted.
 */

import { type Bits, has, members, union } from "./bits.ts";
import type { Digest, TransitionId } from "./ids.ts";
import { known, type Lane, unnamed } from "./model.ts";
import { type Flag, REASONS, type Reason, type Status } from "./result.ts";

/** All that decides between two valid transitions of a lane. A fold makes each rank once, so that equal ones are one. */
export interface Rank {
  readonly round: number;
  readonly to: string;
  readonly settles: string | null; // the conflict that the transition settles
  readonly settled: boolean; // whether it knows of a settlement in its round, its own included
}

/** A valid transition as its lane sees it. Bit `index` stands for it in the `past` of others. */
export interface Move {
  readonly id: TransitionId;
  readonly index: number;
  readonly past: Bits;
  readonly rank: Rank;
  readonly payload: Digest | null;
}

/** One lane, joined: `heads` are its newest valid transitions, `effective` those of them that nothing overtakes. */
export interface LaneView {
  readonly lane: Lane;
  readonly heads: readonly Move[];
  readonly effective: readonly Move[];
  readonly state: string;
  readonly round: number;
}

/** Return why `first` gives way to `second`, or null if it does not. */
function overtakenBecause(lane: Lane, first: Rank, second: Rank): Reason | null {
  if (first.round !== second.round) {
    return first.round < second.round ? "round" : null;
  }
  if (isBelow(lane, first.to, second.to)) {
    return "order";
  }
  const settles = second.settles !== null && known(lane.conflicts, second.settles).has(first.to);
  return settles && !first.settled ? "settled" : null;
}

/** Return the moves that no other of them has seen, each once, by index. */
function maximal(moves: Iterable<Move>): readonly Move[] {
  const unique = [...new Set(moves)].sort((first, second) => first.index - second.index);
  const seen = union(unique.map((move) => move.past));
  return unique.filter((move) => !has(seen, move.index));
}

/** Return the lane's state for these heads. Heads of equal rank are judged once, so many cost little. */
export function join(lane: Lane, heads: readonly Move[]): LaneView {
  const ranks = ranksOf(heads);
  const holding = ranks.filter((rank) => !ranks.some((other) => overtakenBecause(lane, rank, other)));
  const effective = heads.filter((head) => holding.includes(head.rank));
  return {
    lane,
    heads,
    effective,
    state: heads.length > 0 ? joinedState(lane, effective) : lane.initial,
    round: effective[0]?.rank.round ?? 0,
  };
}

/** Return the lane for whoever has seen what each of the views shows; one that shows it all is taken as it is. */
export function merged(lane: Lane, views: readonly LaneView[]): LaneView {
  const [first] = views;
  if (first !== undefined && views.every((view) => view === first)) {
    return first;
  }
  const heads = maximal(views.flatMap((view) => view.heads));
  const showsAll = (view: LaneView): boolean =>
    view.heads.length === heads.length && view.heads.every((head, index) => head === heads[index]);
  return views.find(showsAll) ?? join(lane, heads);
}

/** Return, sorted, what a person should look at in the lane. */
export function flags(view: LaneView): readonly Flag[] {
  return [
    ...(flaggedOvertaken(view).length > 0 ? (["overtaken"] as const) : []),
    ...(payloadsDiffer(view.effective) ? (["payload_conflict"] as const) : []),
  ];
}

/** Return the heads that only a newer round beat, although they reach further than something that now holds. */
export function flaggedOvertaken(view: LaneView): readonly Move[] {
  if (view.heads.length === view.effective.length) {
    return [];
  }
  const lost = ranksOf(overtaken(view)).filter((rank) => isLostFromSight(view, rank));
  return view.heads.filter((head) => lost.includes(head.rank));
}

/** Return the ids of the moves, sorted and each once. */
export function trigger(moves: Iterable<Move>): readonly TransitionId[] {
  return [...new Set([...moves].map((move) => move.id))].sort();
}

/**
 * Return what became of the heads and of all below them.
 *
 * `valid` has the bits of the lane's valid transitions, of other views too; `ids` names the bits.
 */
export function statuses(view: LaneView, valid: Bits, ids: readonly TransitionId[]): Map<TransitionId, Status> {
  const found = new Map<TransitionId, Status>();
  for (const { below, above } of superseded(view.heads, valid)) {
    const status: Status = { status: "superseded", by: trigger(above) };
    for (const index of members(below)) {
      found.set(ids[index] as TransitionId, status);
    }
  }
  const lost = remembering((rank: Rank) => overtakenStatus(view, rank));
  const held = remembering((to: string) => effectiveStatus(view, to));
  for (const head of overtaken(view)) {
    found.set(head.id, lost(head.rank));
  }
  for (const head of view.effective) {
    found.set(head.id, held(head.rank.to));
  }
  return found;
}

function isBelow(lane: Lane, lower: string, upper: string): boolean {
  return known(lane.below, upper).has(lower);
}

function ranksOf(moves: readonly Move[]): readonly Rank[] {
  return [...new Set(moves.map((move) => move.rank))];
}

function overtaken(view: LaneView): readonly Move[] {
  const holding = new Set(view.effective);
  return view.heads.filter((head) => !holding.has(head));
}

function joinedState(lane: Lane, effective: readonly Move[]): string {
  const state = unnamed(new Set(effective.map((head) => head.rank.to)));
  return lane.named.get(state) ?? state;
}

function dominators(view: LaneView, rank: Rank): readonly Move[] {
  return view.effective.filter((head) => overtakenBecause(view.lane, rank, head.rank));
}

function isLostFromSight(view: LaneView, rank: Rank): boolean {
  return (
    dominators(view, rank).every((head) => head.rank.round > rank.round) &&
    view.effective.some(({ rank: { to } }) => rank.to !== to && !isBelow(view.lane, rank.to, to))
  );
}

function payloadsDiffer(effective: readonly Move[]): boolean {
  const payloads = new Map<string, Digest>();
  return effective.some(({ rank: { to }, payload }) => {
    if (payload === null) {
      return false;
    }
    const first = payloads.get(to) ?? payload;
    payloads.set(to, first);
    return first !== payload;
  });
}

/** Split the members that are below heads into groups with the same heads above them. */
function superseded(heads: readonly Move[], valid: Bits): readonly { below: Bits; above: readonly Move[] }[] {
  let groups = [{ below: valid & union(heads.map((head) => head.past)), above: [] as readonly Move[] }];
  for (const head of heads) {
    groups = groups
      .flatMap(({ below, above }) => [
        { below: below & head.past, above: [...above, head] },
        { below: below & ~head.past, above },
      ])
      .filter(({ below }) => below !== 0n);
  }
  return groups;
}

function effectiveStatus(view: LaneView, to: string): Status {
  const others = trigger(view.effective.filter((head) => head.rank.to !== to));
  return others.length > 0 ? { status: "contested", by: others } : { status: "effective" };
}

function overtakenStatus(view: LaneView, rank: Rank): Status {
  const by = dominators(view, rank);
  const reasons = by.map((head) => overtakenBecause(view.lane, rank, head.rank));
  const because = REASONS.find((reason) => reasons.includes(reason));
  return { status: "overtaken", ...(because && { because }), by: trigger(by) };
}

function remembering<Key, Value>(answer: (key: Key) => Value): (key: Key) => Value {
  const answers = new Map<Key, Value>();
  return (key) => {
    const value = answers.get(key) ?? answer(key);
    answers.set(key, value);
    return value;
  };
}
