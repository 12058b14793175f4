import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { type Json, write } from "../src/lifecycle/canonical.ts";
import { Fold } from "../src/lifecycle/fold.ts";
import type { LaneId, TransitionId } from "../src/lifecycle/ids.ts";
import { foldLines } from "../src/lifecycle/lines.ts";
import { type TicketState, toJson } from "../src/lifecycle/result.ts";
import { AFTER_MAX, type Fields, make } from "../src/lifecycle/transition.ts";
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

  test("shows at an earlier frontier what it showed then", () => {
    fc.assert(
      fc.property(drawn(), ({ name, history }) => {
        const whole = foldOf(lifecycleOf(name), history);
        const fold = new Fold(lifecycleOf(name), history.opening.id);
        for (const transition of history.transitions) {
          fold.add(transition);
          expect(shown(fold.state())).toEqual(shown(whole.stateAt(fold.frontier())));
        }
      }),
    );
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
    const move = (lane: string, name: string, role: string, after: TransitionId, at: number): Fields => ({
      ticket: opening.id,
      lane: lane as LaneId,
      name,
      actor: `a${at}`,
      roles: [role],
      after: [after],
      lifecycle: lifecycle.digest,
      payload: null,
      at,
    });
    const inert = Array.from({ length: 40 }, (_, at) => make(move("sales", "sign", "sales", opening.id, at)));
    const lost = make(move("sales", "lose", "sales", opening.id, 0));
    const raised = make(move("support", "raise", "support", opening.id, 0));
    const above = make(move("support", "calm", "support", raised.id, 0));
    const fold = foldOf(lifecycle, { opening, transitions: [opening, ...inert, lost, raised, above] });

    const rest = inert.map(({ id }) => id).sort();
    const expected = [lost.id, above.id, ...rest.slice(0, AFTER_MAX - 2)].sort();
    expect(expected).toEqual(fold.naming(fold.frontier()));
  });
});
