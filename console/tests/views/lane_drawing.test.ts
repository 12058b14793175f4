import { describe, expect, test } from "vitest";
import type { LaneId } from "../../src/lifecycle/ids.ts";
import { drawingOf } from "../../src/views/ticket/lane_drawing.ts";
import { layoutOf } from "../../src/views/ticket/lane_layout.ts";
import { LIFECYCLES, lifecycleOf } from "../vectors.ts";

const LANES = LIFECYCLES.flatMap(({ name }) =>
  [...lifecycleOf(name).lanes.values()].map((lane) => [`${name} ${lane.id}`, lane] as const),
);

interface Run {
  readonly begin: string;
  readonly end: string;
  readonly points: readonly (readonly [number, number])[];
}

/** The points that a path names: its beginning, what bends it, and its end. */
function runOf(path: string): Run {
  const numbers = path.match(/-?[\d.]+/g)?.map(Number) ?? [];
  const points = numbers.flatMap((x, place) =>
    place % 2 === 0 ? [[x, numbers[place + 1] ?? Number.NaN] as const] : [],
  );
  return { begin: String(points[0]), end: String(points.at(-1)), points };
}

describe.each(LANES)("the arrows of %s", (_, lane) => {
  const layout = layoutOf(lane);
  const { width, height, arrows } = drawingOf(layout);
  const runs = arrows.map(({ path }) => runOf(path));

  test("are all drawn, and none begins where one ends", () => {
    expect(layout.arrows).toEqual(arrows.map(({ arrow }) => arrow));
    const ends = new Set(runs.map(({ end }) => end));
    expect([]).toEqual(runs.filter(({ begin }) => ends.has(begin)));
  });

  test("stay in the picture", () => {
    for (const [x = -1, y = -1] of runs.flatMap(({ points }) => [points[0] ?? [], points.at(-1) ?? []])) {
      expect(true).toBe(x >= 0 && x <= width && y >= 0 && y <= height);
    }
  });
});

/** How far a curve is bent at its beginning: negative upwards, 0 for what goes straight on. */
function bendsOf(name: string, id: string): ReadonlyMap<string, number> {
  const lane = lifecycleOf(name).lanes.get(id as LaneId);
  const { arrows } = drawingOf(layoutOf(lane ?? expect.fail(`${name} has no lane ${id}`)));
  return new Map(
    arrows.map(({ arrow, path }) => {
      const [[, begin], [, bend]] = runOf(path).points as [[number, number], [number, number]];
      return [`${arrow.from} ${arrow.to}`, bend - begin];
    }),
  );
}

test("what reaches further is bent further: on above the states, back below them, or above where others stand", () => {
  expect(
    new Map([
      ["waiting answered", 0],
      ["answered waiting", 18],
      ["solved waiting", 26],
      ["waiting solved", -22],
      ["answered solved", 0],
      ["solved closed", 0],
      ["closed waiting", 34],
    ]),
  ).toEqual(bendsOf("support-only", "request"));
  expect(-26).toBe(bendsOf("connect-order", "sales").get("withdrawn quoted"));
});
