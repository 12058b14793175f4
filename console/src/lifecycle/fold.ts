/**
 * The fold: what a ticket's transitions amount to, whatever the order in which they arrived.
 *
 * It owns causality, validity and the reading of a view; how one lane joins is `join`'s, who waits is `pending`'s. What
 * is once judged is never judged again: the verdict reads a transition, its lifecycle and its ancestors, and none of
 * these can change. It never drops a transition and never asks who may act now, which is admission's.
 */

import { type Bits, bit, has, union } from "./bits.ts";
import type { LaneId, TransitionId } from "./ids.ts";
import { flags, join, type LaneView, type Move, merged, type Rank, statuses } from "./join.ts";
import { known, type Lane, type Lifecycle, matches, STAGE, type TransitionSpec } from "./model.ts";
import { Pending } from "./pending.ts";
import { type Code, NOTHING, type Status, type TicketState, type Verdict } from "./result.ts";
import { matchStage, obligations, type Views } from "./stage.ts";
import { AFTER_MAX, isOpening, type Transition } from "./transition.ts";

/** With `anyDigest` the lifecycle stands in for whichever the opening names. */
export interface FoldOptions {
  readonly anyDigest?: boolean;
}

/** What is known for ever about a transition of the view; `views` are the lanes of its past and itself together. */
interface Memo {
  readonly transition: Transition;
  readonly index: number;
  readonly past: Bits;
  readonly views: Views;
  readonly verdict: Verdict;
}

/** What a transition had seen: its ancestors' bits and their lanes. */
interface Past {
  readonly bits: Bits;
  readonly views: Views;
  readonly isAntichain: boolean;
}

/** The view of one ticket, growing as transitions come in any order; duplicates change nothing. */
export class Fold {
  readonly #lifecycle: Lifecycle;
  readonly #ticket: TransitionId | null;
  readonly #anyDigest: boolean;
  readonly #memos = new Map<TransitionId, Memo>();
  readonly #ids: TransitionId[] = []; // by index
  readonly #pending = new Pending();
  readonly #quarantined = new Map<TransitionId, Code>();
  readonly #inert = new Map<TransitionId, Status>();
  readonly #frontier = new Set<TransitionId>();
  readonly #ranks = new Map<string, Rank>();
  readonly #valid = new Map<LaneId, Bits>(); // a lane's valid transitions
  readonly #settlements = new Map<string, Bits>(); // those of them that settle in a round
  readonly #heads: Map<LaneId, readonly Move[]>;
  readonly #views: Map<LaneId, LaneView>; // of all that is here; brought up to date when it is read
  readonly #statuses = new Map<LaneId, { readonly view: LaneView; readonly of: ReadonlyMap<TransitionId, Status> }>();
  #state: TicketState | null = null;

  /** `ticket` is the opening's id; null if there is none, so that everything waits. */
  constructor(lifecycle: Lifecycle, ticket: TransitionId | null, { anyDigest = false }: FoldOptions = {}) {
    this.#lifecycle = lifecycle;
    this.#ticket = ticket;
    this.#anyDigest = anyDigest;
    this.#views = new Map([...lifecycle.lanes].map(([id, lane]) => [id, join(lane, [])]));
    this.#heads = new Map([...this.#views].map(([id, view]) => [id, view.heads]));
  }

  /** Tell whether the transition is in the view. */
  has(id: TransitionId): boolean {
    return this.#memos.has(id);
  }

  /** Take in a transition: place it, let it wait for its ancestors, or quarantine it. */
  add(transition: Transition): void {
    const { id } = transition;
    if (this.#memos.has(id) || this.#pending.has(id) || this.#quarantined.has(id)) {
      return;
    }
    this.#state = null;
    const unplaced = transition.after.filter((parent) => !this.#memos.has(parent));
    if (isMisplaced(this.#lifecycle, transition, this.#anyDigest)) {
      this.#quarantined.set(id, "malformed");
    } else if (this.#isForeign(transition)) {
      for (const foreign of [transition, ...this.#pending.dropAbove(id)]) {
        this.#quarantined.set(foreign.id, "ticket");
      }
    } else if (unplaced.length > 0) {
      this.#pending.add(transition, unplaced);
    } else {
      this.#place(transition);
    }
  }

  /** Return the verdict on a transition of the view, undefined if it is not there; it never changes. */
  verdict(id: TransitionId): Verdict | undefined {
    return this.#memos.get(id)?.verdict;
  }

  /** Return what the verdict would be, without adding; undefined if an ancestor is missing. */
  judge(transition: Transition): Verdict | undefined {
    if (this.#memos.has(transition.id)) {
      return this.verdict(transition.id);
    }
    if (isMisplaced(this.#lifecycle, transition, this.#anyDigest)) {
      return "malformed";
    }
    if (this.#isForeign(transition)) {
      return "ticket";
    }
    const isPlaceable = transition.after.every((parent) => this.#memos.has(parent));
    return isPlaceable ? this.#verdict(transition, this.#past(transition)) : undefined;
  }

  /** Return a transition of the view; one that is not there is the caller's mistake. */
  transition(id: TransitionId): Transition {
    return known(this.#memos, id).transition;
  }

  /** Return the newest transitions of the view, those that no other has seen, sorted. */
  frontier(): readonly TransitionId[] {
    return [...this.#frontier].sort();
  }

  /** Return the newest among `ids`, sorted: what someone would name who saw these and their ancestors. */
  frontierOf(ids: Iterable<TransitionId>): readonly TransitionId[] {
    const memos = this.#all(new Set(ids));
    const past = union(memos.map((memo) => memo.past));
    return memos
      .filter((memo) => !has(past, memo.index))
      .map((memo) => memo.transition.id)
      .sort();
  }

  /**
   * Return, sorted, which members of a frontier a writer names in `after`, where there is room for 32.
   *
   * Effective heads come first, then what has one in its past, then the rest.
   */
  naming(frontier: Iterable<TransitionId>): readonly TransitionId[] {
    const memos = this.#all([...frontier].sort());
    const effective = [...this.#merged(memos).values()].flatMap((view) => view.effective);
    const ids = new Set(effective.map((head) => head.id));
    const bits = union(effective.map((head) => bit(head.index)));
    const preference = ({ transition, past }: Memo): number => {
      if (ids.has(transition.id)) {
        return 0;
      }
      return (past & bits) !== 0n ? 1 : 2;
    };
    return memos
      .toSorted((one, two) => preference(one) - preference(two))
      .slice(0, AFTER_MAX)
      .map((memo) => memo.transition.id)
      .sort();
  }

  /** Return what the whole journal amounts to. */
  state(): TicketState {
    this.#state ??= {
      ...this.#read(null, this.#currentViews()),
      pending: this.#pending.missing(),
      quarantined: new Map(this.#quarantined),
    };
    return this.#state;
  }

  /** Return what someone sees who has these transitions and their ancestors, and nothing else. */
  stateAt(ids: Iterable<TransitionId>): TicketState {
    const memos = this.#all(ids);
    const bits = union(memos.map((memo) => memo.past | bit(memo.index)));
    return memos.length > 0 ? this.#read(bits, this.#merged(memos)) : NOTHING;
  }

  #all(ids: Iterable<TransitionId>): readonly Memo[] {
    return [...ids].map((id) => known(this.#memos, id));
  }

  #isForeign(transition: Transition): boolean {
    return isOpening(transition)
      ? transition.id !== this.#ticket
      : transition.after.some((parent) => this.#quarantined.get(parent) === "ticket");
  }

  /** Judge the transition and whatever waited for nothing else; a loop, since chains may be long. */
  #place(transition: Transition): void {
    const ready = [transition];
    for (let placed = ready.pop(); placed !== undefined; placed = ready.pop()) {
      this.#remember(placed, this.#past(placed));
      for (const child of this.#pending.placed(placed.id)) {
        ready.push(child);
      }
    }
  }

  #remember(transition: Transition, past: Past): void {
    const { id, lane, after } = transition;
    const index = this.#ids.length;
    const verdict = this.#verdict(transition, past);
    let { views } = past;
    if (verdict !== "valid") {
      this.#inert.set(id, { status: "inert", code: verdict });
    } else if (!isOpening(transition)) {
      const move = this.#move(transition, index, past);
      views = new Map(views).set(lane, join(known(this.#lifecycle.lanes, lane), [move]));
      this.#enter(lane, move);
    }
    this.#memos.set(id, { transition, index, past: past.bits, views, verdict });
    this.#ids.push(id);
    for (const parent of after) {
      this.#frontier.delete(parent);
    }
    this.#frontier.add(id);
  }

  /** Count a valid transition among its lane's: it stands above all that it saw. */
  #enter(lane: LaneId, move: Move): void {
    const others = known(this.#heads, lane).filter((head) => !has(move.past, head.index));
    this.#heads.set(lane, [...others, move]);
    this.#valid.set(lane, (this.#valid.get(lane) ?? 0n) | bit(move.index));
    if (move.rank.settles !== null) {
      const place = placeOf(lane, move.rank.round);
      this.#settlements.set(place, (this.#settlements.get(place) ?? 0n) | bit(move.index));
    }
  }

  #past(transition: Transition): Past {
    const parents = this.#all(transition.after);
    const strict = union(parents.map((memo) => memo.past));
    return {
      bits: strict | union(parents.map((memo) => bit(memo.index))),
      views: this.#merged(parents),
      isAntichain: !parents.some((memo) => has(strict, memo.index)),
    };
  }

  /** Return the lanes as they stand in the closure of these. */
  #merged(memos: readonly Memo[]): Views {
    const merge = (lane: Lane): LaneView => {
      const views = memos.map((memo) => known(memo.views, lane.id));
      return merged(lane, views);
    };
    return new Map([...this.#lifecycle.lanes].map(([id, lane]) => [id, merge(lane)]));
  }

  #verdict(transition: Transition, past: Past): Verdict {
    if (this.#isLifecycleUnknown(transition)) {
      return "lifecycle_unknown";
    }
    if (isOpening(transition)) {
      return "valid";
    }
    if (transition.ticket !== this.#ticket) {
      return "ticket";
    }
    if (!past.isAntichain) {
      return "after";
    }
    if (transition.lifecycle !== this.#opening().lifecycle) {
      return "lifecycle";
    }
    const spec = this.#spec(transition);
    if (spec === undefined) {
      return "unknown";
    }
    if (!spec.by.some((role) => transition.roles.includes(role))) {
      return "role";
    }
    const { state } = known(past.views, transition.lane);
    if (!spec.sources.has(state) && spec.settles !== state) {
      return "from";
    }
    return this.#conditionsHold(spec, past.views) ? "valid" : "if";
  }

  #isLifecycleUnknown(transition: Transition): boolean {
    const opening = isOpening(transition) ? transition : this.#opening();
    return !this.#anyDigest && opening.lifecycle !== this.#lifecycle.digest;
  }

  #opening(): Transition {
    if (this.#ticket === null) {
      throw new Error("Nothing is placed before the opening.");
    }
    return this.transition(this.#ticket);
  }

  #spec(transition: Transition): TransitionSpec | undefined {
    return this.#lifecycle.lanes.get(transition.lane)?.transitions.get(transition.name);
  }

  #conditionsHold(spec: TransitionSpec, views: Views): boolean {
    if (spec.conditions.size === 0) {
      return true;
    }
    const states = statesOf(views);
    const stage = matchStage(this.#lifecycle, states)?.row.stage ?? ""; // no name: only `!x` and `*` hold of it
    return [...spec.conditions].every(([key, pattern]) => matches(pattern, key === STAGE ? stage : known(states, key)));
  }

  #move(transition: Transition, index: number, past: Past): Move {
    const { id, lane, payload } = transition;
    const spec = this.#spec(transition);
    if (spec === undefined) {
      throw new Error("Only a declared transition is valid.");
    }
    const view = known(past.views, lane);
    const round = view.round + (spec.resets ? 1 : 0);
    const settles = view.state === spec.settles ? spec.settles : null;
    const settled = settles !== null || (past.bits & (this.#settlements.get(placeOf(lane, round)) ?? 0n)) !== 0n;
    return { id, index, past: past.bits, rank: this.#rank({ round, to: spec.to, settles, settled }), payload };
  }

  /** The one rank that is equal to this. */
  #rank(rank: Rank): Rank {
    const key = [rank.round, rank.to, rank.settles, rank.settled].join(" ");
    const first = this.#ranks.get(key) ?? rank;
    this.#ranks.set(key, first);
    return first;
  }

  #currentViews(): Views {
    for (const [id, heads] of this.#heads) {
      if (known(this.#views, id).heads !== heads) {
        this.#views.set(id, join(known(this.#lifecycle.lanes, id), heads));
      }
    }
    return this.#views;
  }

  /** Return the state of the view that holds these bits, or all of them, and whose lanes stand so. */
  #read(bits: Bits | null, views: Views): TicketState {
    if (this.#ids.length === 0) {
      return NOTHING;
    }
    const isIn = (id: TransitionId): boolean => bits === null || has(bits, known(this.#memos, id).index);
    if (this.#isLifecycleUnknown(this.#opening())) {
      const codes = this.#ids.filter(isIn).map((id) => [id, "lifecycle_unknown"] as const);
      return { ...NOTHING, ticket: this.#ticket, codes: new Map(codes) };
    }
    const states = statesOf(views);
    const match = matchStage(this.#lifecycle, states);
    const raised = [...views].map(([id, view]) => [id, flags(view)] as const);
    const status = new Map([...this.#inert].filter(([id]) => isIn(id)));
    for (const view of views.values()) {
      for (const [id, found] of this.#statusesOf(view)) {
        status.set(id, found);
      }
    }
    return {
      ...NOTHING,
      ticket: this.#ticket,
      lanes: states,
      flags: new Map(raised.filter(([, found]) => found.length > 0)),
      stage: match?.row.stage ?? null,
      kind: match?.row.kind ?? null,
      obligations: obligations(match, views),
      status,
    };
  }

  /** Return what became of the lane's transitions; kept for the newest view, as other lanes' moves leave it. */
  #statusesOf(view: LaneView): ReadonlyMap<TransitionId, Status> {
    const { id } = view.lane;
    const kept = this.#statuses.get(id);
    if (kept?.view === view) {
      return kept.of;
    }
    const of = statuses(view, this.#valid.get(id) ?? 0n, this.#ids);
    this.#statuses.set(id, { view, of });
    return of;
  }
}

/** Tell whether this is an opening outside the control lane, which only its own lifecycle can tell. */
export function isMisplaced(lifecycle: Lifecycle, transition: Transition, anyDigest: boolean): boolean {
  return (
    isOpening(transition) &&
    (anyDigest || transition.lifecycle === lifecycle.digest) &&
    transition.lane !== lifecycle.control.id
  );
}

function statesOf(views: Views): ReadonlyMap<LaneId, string> {
  return new Map([...views].map(([id, view]) => [id, view.state]));
}

function placeOf(lane: LaneId, round: number): string {
  return `${lane} ${round}`;
}
