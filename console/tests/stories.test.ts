import { describe, expect, test } from "vitest";

import { read } from "../src/lifecycle/spec.ts";
import { run, transitions } from "../src/lifecycle/stories.ts";
import { FOLDS, LIFECYCLES, lifecycleOf } from "./vectors.ts";

const STORIES = LIFECYCLES.flatMap(({ name }) => lifecycleOf(name).stories.map((story) => ({ name, story })));

describe("lifecycle files", () => {
  test.each(LIFECYCLES)("have the digest that Python gives $name", ({ file, digest }) => {
    expect(digest).toBe(read(file).digest);
  });
});

describe("stories", () => {
  test("are told by some file", () => {
    expect(STORIES.length).toBeGreaterThan(0);
  });

  test.each(STORIES)("hold: $name: $story.name", ({ name, story }) => {
    expect([]).toEqual(run(lifecycleOf(name), story));
  });

  test.each(STORIES)("have Python's records: $name: $story.name", ({ name, story }) => {
    const written = FOLDS.find((row) => row.name === `${name}: ${story.name}`);
    const found = [...transitions(lifecycleOf(name), story).values()].map((transition) => transition.record);
    expect(written?.lines).toEqual(found);
  });

  test.each([
    ["stage", "nowhere", "stage is ready_to_start, expected nowhere"],
    ["sales", "lost", "sales is signed, expected lost"],
    ["owes", ["tech"], "owes is [], expected [tech]"],
    ["overtaken", ["s"], "overtaken is [], expected [s]"],
    ["flags", { sales: ["overtaken"] }, "flags of sales is [], expected [overtaken]"],
  ])("tell how %s differs from what they expect", (what, expected, difference) => {
    const story = {
      name: "a story",
      events: ["q: sales.quote", "s: sales.sign < q"],
      expect: new Map([[what, expected]]),
    };
    expect([difference]).toEqual(run(lifecycleOf("connect-order"), story));
  });
});
