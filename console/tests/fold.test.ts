import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { type Json, write } from "../src/lifecycle/canonical.ts";
import { Fold } from "../src/lifecycle/fold.ts";
import type { LaneId, TransitionId } from "../src/lifecycle/ids.ts";
import { foldLines } from "../src/lifecycle/lines.ts";
import { type TicketState, toJson } from "../src/lifecycle/result.ts";
import { AFTER_MAX, make, type Transition } from "../src/lifecycle/transition.ts";
import { drawn, foldOf, openingOf } from "./histories.ts";
import { bytesOf, FOLDS, lifecycleOf } from "./vectors.ts";

/** What a view shows, without what is no part of any view. */
function shown(state: TicketState): { readonly [key: string]: Json } {
  const { pending, quarantined, ...view } = toJson(state);
  return view;
}

describe("foldLines", () => {
  test.each(FOLDS)("prints what Python prints of $name", (row) => {
    const found = foldLines(lifecycleOf(row.lifecycle), row.lines.map(bytesOf), { anyDigest: row.any_digest });
    expect(row.state).toEqual(found);
    expect(write(row.state)).toBe(write(found));
  });
});

describe("Fold", () => {
  test("gives the same bytes whatever the order and however often a transition comes", () => {
    const places = fc.array(fc.nat(), { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(drawn(), places, ({ name, history }, order) => {
        const twice = [...history.transitions, ...history.transitions.slice(0, 3)];
        const keyed = twice.map((transition, index) => ({ transition, place: order[index % order.length] ?? 0 }));
        const shuffled = keyed.sort((one, two) => one.place - two.place).map(({ transition }) => transition);
        const expected = foldOf(lifecycleOf(name), history).state();
        const found = foldOf(lifecycleOf(name), { ...history, transitions: shuffled }).state();
        expect(write(toJson(expected))).toBe(write(toJson(found)));
      }),
    );
  });

  test("foretells a verdict, and never changes it", () => {
    fc.assert(
      fc.property(drawn(), ({ name, history }) => {
        const fold = new Fold(lifecycleOf(name), history.opening.id);
        const verdicts = new Map<TransitionId, unknown>();
        for (const transition of history.transitions) {
          const foretold = fold.judge(transition);
          fold.add(transition);
          if (fold.has(transition.id)) {
            verdicts.set(transition.id, foretold);
          }
          for (const [id, verdict] of verdicts) {
            expect(verdict).toBe(fold.verdict(id));
          }
        }
      }),
    );
  });

  test("shows as it grows, and later at the frontier of then, what it shows afresh", () => {
    fc.assert(
      fc.property(drawn(), ({ name, history }) => {
        const whole = foldOf(lifecycleOf(name), history);
        const fold = new Fold(lifecycleOf(name), history.opening.id);
        for (const [index, transition] of history.transitions.entries()) {
          fold.add(transition);
          const first = history.transitions.slice(0, index + 1);
          const expected = foldOf(lifecycleOf(name), { ...history, transitions: first }).state();
          expect(toJson(expected)).toEqual(toJson(fold.state()));
          expect(shown(expected)).toEqual(shown(whole.stateAt(fold.frontier())));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("judges what it would not place, too", () => {
    const lifecycle = lifecycleOf("connect-order");
    const opening = openingOf(lifecycle, "one");
    const other = openingOf(lifecycle, "another");
    const above = (transition: Transition): Transition => moveOf(opening, "sales", "quote", [transition.id], 0);
    const fold = foldOf(lifecycle, { opening, transitions: [opening, other] });

    expect("ticket").toBe(fold.judge(other));
    expect("ticket").toBe(fold.judge(above(other)));
    expect("malformed").toBe(fold.judge(make({ ...opening, lane: "sales" as LaneId })));
    expect(undefined).toBe(fold.judge(above(above(opening))));
    expect("valid").toBe(fold.judge(above(opening)));
    expect([opening.id]).toEqual(fold.frontier());
  });

  test("has a frontier of those that nobody in the view has seen", () => {
    fc.assert(
      fc.property(drawn(), ({ name, history }) => {
        const fold = foldOf(lifecycleOf(name), history);
        const view = history.transitions.filter(({ id }) => fold.has(id));
        const seen = new Set(view.flatMap(({ after }) => after));
        const newest = [...new Set(view.map(({ id }) => id).filter((id) => !seen.has(id)))].sort();
        expect(newest).toEqual(fold.frontier());
        expect(newest).toEqual(fold.frontierOf(view.map(({ id }) => id)));
      }),
    );
  });

  test("names of a frontier that is too wide the effective heads first, then what has seen one", () => {
    const lifecycle = lifecycleOf("connect-order");
    const opening = openingOf(lifecycle, "wide");
    const inert = Array.from({ length: 40 }, (_, at) => moveOf(opening, "sales", "sign", [opening.id], at));
    const raised = moveOf(opening, "support", "raise", [opening.id], 0);
    const lost = lastById((at) => moveOf(opening, "sales", "lose", [opening.id], at));
    const above = lastById((at) => moveOf(opening, "support", "calm", [raised.id], at));
    const fold = foldOf(lifecycle, { opening, transitions: [opening, ...inert, raised, lost, above] });

    const rest = inert.map(({ id }) => id).sort();
    expect(fold.frontier().slice(-2)).toEqual([lost.id, above.id].sort());
    expect([...rest.slice(0, AFTER_MAX - 2), lost.id, above.id].sort()).toEqual(fold.naming(fold.frontier()));
    expect([...rest.slice(0, AFTER_MAX - 1), lost.id].sort()).toEqual(fold.naming([...rest, lost.id]));
  });
});

/** A move in a lane of `connect-order` whose owner is called as the lane is. */
function moveOf(
  opening: Transition,
  lane: string,
  name: string,
  after: readonly TransitionId[],
  at: number,
): Transition {
  const { id: ticket, lifecycle } = opening;
  return make({ ticket, lane: lane as LaneId, name, actor: "a", roles: [lane], after, lifecycle, payload: null, at });
}

/** One whose id sorts behind nearly all. */
function lastById(made: (at: number) => Transition): Transition {
  for (let at = 0; ; at += 1) {
    if (made(at).id > "zz") {
      return made(at);
    }
  }
}
