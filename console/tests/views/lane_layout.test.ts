import { describe, expect, test } from "vitest";
import { layoutOf, membersOf } from "../../src/views/ticket/lane_layout.ts";
import { LIFECYCLES, lifecycleOf } from "../vectors.ts";

const LANES = LIFECYCLES.flatMap(({ name }) =>
  [...lifecycleOf(name).lanes.values()].map((lane) => [`${name} ${lane.id}`, lane] as const),
);

describe.each(LANES)("the picture of %s", (_, lane) => {
  const { states, arrows, columns, rows } = layoutOf(lane);
  const columnOf = new Map(states.map(({ state, column }) => [state, column]));

  test("has every state once, each at a place of its own within the picture", () => {
    expect(lane.states).toEqual(states.map(({ state }) => state));
    expect(states.length).toBe(new Set(states.map(({ column, row }) => `${column} ${row}`)).size);
    expect(true).toBe(states.every(({ column, row }) => column < columns && row < rows));
  });

  test("goes to the right with the order", () => {
    for (const [state, below] of lane.below) {
      for (const lower of below) {
        expect(columnOf.get(lower)).toBeLessThan(columnOf.get(state) ?? -1);
      }
    }
  });

  test("has arrows between its states alone", () => {
    expect(true).toBe(arrows.every(({ from, to }) => columnOf.has(from) && columnOf.has(to) && from !== to));
  });

  test("shows a value as the states that it stands for", () => {
    const [first = "", second = ""] = lane.states;
    expect(new Set([first])).toEqual(membersOf(lane, first));
    expect(new Set([first, second])).toEqual(membersOf(lane, [first, second].join("|")));
    for (const [name, members] of lane.conflicts) {
      expect(members).toEqual(membersOf(lane, name));
    }
  });
});
