import { expect, test } from "vitest";

import { dayOf, daysBetween } from "../../src/board/days.ts";

const MIDNIGHT = Date.UTC(2026, 10, 26);

test.each([
  ["UTC", MIDNIGHT, "2026-11-26"],
  ["UTC", MIDNIGHT - 1, "2026-11-25"],
  ["Asia/Shanghai", MIDNIGHT - 8 * 3_600_000, "2026-11-26"],
  ["Asia/Shanghai", MIDNIGHT - 8 * 3_600_000 - 1, "2026-11-25"],
  ["Asia/Kathmandu", MIDNIGHT - 20_700_000, "2026-11-26"],
  ["Asia/Kathmandu", MIDNIGHT - 20_700_001, "2026-11-25"],
  ["America/New_York", Date.UTC(2026, 10, 1, 4), "2026-11-01"], // summer time until that morning
  ["America/New_York", Date.UTC(2026, 10, 2, 4, 59), "2026-11-01"],
])("a day is the day of the wall in %s", (zone, at, day) => {
  expect(dayOf(at, zone)).toBe(day);
});

test("every day is listed once, whatever clocks do to its length", () => {
  expect(daysBetween("2026-10-30", "2026-11-02")).toEqual(["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"]);
});
