/** Histories of a ticket that fast-check draws: people who have seen a part of it make moves, now and then odd ones. */

import fc from "fast-check";

import { digestOf } from "../src/lifecycle/canonical.ts";
import { Fold } from "../src/lifecycle/fold.ts";
import type { LaneId, TransitionId } from "../src/lifecycle/ids.ts";
import { known, type Lifecycle } from "../src/lifecycle/model.ts";
import { type Fields, make, OPENING_NAME, type Transition } from "../src/lifecycle/transition.ts";
import { LIFECYCLES, lifecycleOf } from "./vectors.ts";

export interface History {
  readonly opening: Transition;
  readonly transitions: readonly Transition[]; // parents first; the strays of other tickets among them
}

const ABSENT = "a".repeat(52) as TransitionId;

/** A recipe of one step: choices are numbers, taken modulo what there is to choose from, so that they shrink. */
const STEP = fc.record({
  seen: fc.array(fc.nat(9), { maxLength: 3 }), // which of the newest; none: all of them
  choice: fc.nat(255),
  payload: fc.constantFrom(null, digestOf("A"), digestOf("B")),
  odd: fc.nat(15),
});
type Step = typeof STEP extends fc.Arbitrary<infer Value> ? Value : never;

/** Histories of up to so many steps. */
export function histories(lifecycle: Lifecycle, maxLength = 16): fc.Arbitrary<History> {
  const subject = fc.nat(999).map((number) => `fast-check ${number}`);
  return fc.tuple(subject, fc.array(STEP, { maxLength, size: "max" })).map(([text, steps]) => {
    const opening = openingOf(lifecycle, text);
    const growing = new Growing(lifecycle, opening);
    for (const step of steps) {
      growing.take(step);
    }
    return { opening, transitions: [opening, ...growing.made] };
  });
}

/** Histories under any of the sound lifecycles of the vectors, by its name. */
export function drawn(): fc.Arbitrary<{ readonly name: string; readonly history: History }> {
  const names = LIFECYCLES.map((row) => row.name).filter((name) => name !== "unsound");
  return fc.constantFrom(...names).chain((name) => histories(lifecycleOf(name)).map((history) => ({ name, history })));
}

/** The fold of a history, whose transitions come in the order given. */
export function foldOf(lifecycle: Lifecycle, { opening, transitions }: History): Fold {
  const fold = new Fold(lifecycle, opening.id);
  for (const transition of transitions) {
    fold.add(transition);
  }
  return fold;
}

/** An opening with this subject. */
export function openingOf(lifecycle: Lifecycle, subject: string): Transition {
  return make({
    ticket: null,
    lane: lifecycle.control.id,
    name: OPENING_NAME,
    actor: "opener",
    roles: lifecycle.openBy.slice(0, 1),
    after: [],
    lifecycle: lifecycle.digest,
    payload: null,
    at: 0,
    subject,
  });
}

class Growing {
  readonly made: Transition[] = [];
  readonly #lifecycle: Lifecycle;
  readonly #opening: Transition;
  readonly #fold: Fold;
  readonly #seen: TransitionId[];

  constructor(lifecycle: Lifecycle, opening: Transition) {
    this.#lifecycle = lifecycle;
    this.#opening = opening;
    this.#fold = new Fold(lifecycle, opening.id);
    this.#fold.add(opening);
    this.#seen = [opening.id];
  }

  take({ seen, choice, payload, odd }: Step): void {
    const newest = seen.map((number) => picked(this.#seen.toReversed(), number));
    const after = this.#fold.naming(newest.length > 0 ? this.#fold.frontierOf(newest) : this.#fold.frontier());
    const all = [...this.#lifecycle.lanes.values()].flatMap((lane) =>
      [...lane.transitions.values()].map((spec) => this.#fields(lane.id, spec.name, spec.by.slice(0, 1), after)),
    );
    const enabled = all.filter((fields) => this.#fold.judge(make(fields)) === "valid");
    const fields = { ...picked(enabled.length > 0 ? enabled : all, choice), payload };
    this.#keep(make(odd === 15 ? this.#odd(picked(all, choice), choice) : fields));
  }

  #fields(lane: LaneId, name: string, roles: readonly string[], after: readonly TransitionId[]): Fields {
    const { id: ticket, lifecycle } = this.#opening;
    const at = this.made.length;
    return { ticket, lane, name, actor: `a${at}`, roles, after, lifecycle, payload: null, at };
  }

  #odd(fields: Fields, choice: number): Fields {
    const changes: readonly Partial<Fields>[] = [
      {},
      { ticket: ABSENT },
      { roles: ["nobody"] },
      { lane: "constructor" as LaneId },
      { lifecycle: digestOf("another") },
      { after: [ABSENT, picked(this.#seen, choice)] },
      { after: [...new Set([picked(this.#seen, choice), ...fields.after])] },
    ];
    const other = openingOf(this.#lifecycle, `another ${choice}`);
    if (choice % 8 === 7) {
      this.#keep(other);
      return { ...fields, after: [other.id] };
    }
    return { ...fields, ...picked(changes, choice % 8) };
  }

  #keep(transition: Transition): void {
    this.made.push(transition);
    this.#fold.add(transition);
    if (this.#fold.has(transition.id)) {
      this.#seen.push(transition.id);
    }
  }
}

function picked<Value>(options: readonly Value[], choice: number): Value {
  return known(new Map(options.entries()), choice % options.length);
}
