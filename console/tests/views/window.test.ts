import { expect, test } from "vitest";

import { atTop, indexOf, ROW_PX, revealed, sliceOf } from "../../src/views/list/window.ts";

test.each([
  [0, 600, 5_000],
  [100_000, 600, 5_000],
  [5_000 * ROW_PX, 600, 5_000],
  [9e9, 600, 5_000],
  [0, 0, 0],
  [0, 600, 3],
])("scrolled by %i, %i high, of %i rows: draws what is in sight, and little more", (scrolled, height, count) => {
  const { from, to } = sliceOf(scrolled, height, count);
  const first = Math.floor(scrolled / ROW_PX);
  const last = Math.min(count, Math.ceil((scrolled + height) / ROW_PX));

  expect(from).toBeLessThanOrEqual(Math.min(first, count));
  expect(to).toBeGreaterThanOrEqual(Math.min(last, count));
  expect(to).toBeLessThanOrEqual(count);
  expect(to - from).toBeLessThan(height / ROW_PX + 20);
});

test("a row is brought into sight, and one in sight stays where it is", () => {
  expect(0).toBe(revealed(0, 500, 600));
  expect(500).toBe(revealed(13, 500, 600));
  expect(101 * ROW_PX - 600).toBe(revealed(100, 500, 600));
});

test("a cursor follows what it stands on, and stays in its place if that leaves the list", () => {
  const cursor = { key: "b", index: 1, scrolledPx: 0 };
  const at = (...items: string[]): number => indexOf(cursor, items, (item) => item);
  expect([at("a", "b", "c"), at("new", "a", "b", "c"), at("a", "c"), at("a"), at()]).toEqual([1, 2, 1, 0, 0]);
  expect(0).toBe(indexOf(atTop(), ["a", "b"], (item) => item));
});
