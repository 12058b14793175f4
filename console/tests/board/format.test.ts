import { expect, test } from "vitest";

import { axisEnd, duration, shortDay } from "../../src/board/format.ts";

test.each([
  [0, 2],
  [1, 2],
  [2, 2],
  [3, 4],
  [9, 10],
  [10, 20],
  [45, 60],
  [1_001, 2_000],
])("an axis for %d ends at %d, whose half is whole", (largest, end) => {
  expect(axisEnd(largest)).toBe(end);
});

test("durations are said in the largest unit that they fill", () => {
  expect([30_000, 3_540_000, 5_400_000, 259_200_000].map((ms) => duration(ms, "en"))).toEqual([
    "0.5 mins",
    "59 mins",
    "1.5 hrs",
    "3 days",
  ]);
  expect(duration(5_400_000, "zh")).toBe("1.5小时");
});

test("a day is said as it is named, wherever the page is", () => {
  expect(shortDay("2026-11-26", "en")).toBe("26 Nov");
  expect(shortDay("2026-11-26", "zh")).toBe("11月26日");
});
