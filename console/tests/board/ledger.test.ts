import { expect, test } from "vitest";

import { hear } from "../../src/board/events.ts";
import { figuresOf } from "../../src/board/figures.ts";
import { DAYS_KEPT, follow, isLedger, type Ledger, newLedger } from "../../src/board/ledger.ts";

const ZONE = "Asia/Shanghai";
const NOW = Date.UTC(2026, 10, 26, 4);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const OWED = { row: "quoted", owes: { constructor: ["sign"] } }; // a lane may well be called so

type Told = readonly [ticket: string, type: string, data: Readonly<Record<string, unknown>>, at?: number];

function heard(...told: readonly Told[]): Ledger {
  const ledger = newLedger(ZONE);
  for (const [index, [ticket, type, data, at = NOW]] of told.entries()) {
    follow(ledger, event(index + 1, ticket, type, data, at));
  }
  return ledger;
}

function event(position: number, subject: string, name: string, data: Told[2], at: number): ReturnType<typeof hear> {
  const time = new Date(at).toISOString();
  return hear(position, { subject, type: `ticketsync.ticket.${name}.v1`, time, data });
}

function figures(ledger: Ledger, now = NOW): ReturnType<typeof figuresOf> {
  return figuresOf(ledger, now, 3 * DAY_MS);
}

test("an event that was heard before changes nothing", () => {
  const ledger = heard(["a", "opened", { lifecycle: "x" }]);
  follow(ledger, event(1, "a", "opened", { lifecycle: "x" }, NOW));

  expect(figures(ledger).flow).toEqual([{ day: "2026-11-26", opened: 1, ended: 0, reopened: 0 }]);
});

test("a heartbeat moves the position and nothing else", () => {
  const ledger = heard(["a", "opened", { lifecycle: "x" }]);
  const before = figures(ledger);
  follow(ledger, hear(9, null));

  expect(ledger.position).toBe(9);
  expect(figures(ledger)).toEqual(before);
});

test.each([
  ["opened", {}],
  ["stage_changed", { stage: "won", kind: "great", was: "" }],
  ["stage_changed", { stage: 5, kind: "normal" }],
  ["obligation_raised", { row: null, owes: [] }],
  ["message", {}],
  ["delivery", { state: null }],
  ["conversation_bound", { channel: "wechat" }],
  ["constructor", {}],
])("an event of another form is heard as nothing: %s %j", (type, data) => {
  const ledger = heard(["a", type, data]);

  expect(ledger).toEqual({ ...newLedger(ZONE), position: 1 });
});

test("a ticket in no stage of the table is one to look at", () => {
  const ledger = heard(["a", "stage_changed", { stage: "", kind: "", was: "presale" }]);

  expect(figures(ledger).stages).toEqual([{ stage: "", kind: "attention", count: 1 }]);
});

test("what is owed grows old by the bounds, and is overdue when the service says so", () => {
  const ledger = heard(
    ["a", "obligation_raised", OWED, NOW - HOUR_MS],
    ["b", "obligation_raised", OWED, NOW - HOUR_MS + 1],
    ["c", "obligation_raised", OWED, NOW - 3 * DAY_MS],
    ["c", "obligation_overdue", OWED],
    ["d", "obligation_overdue", OWED], // of a ticket that is not known to owe it
    ["e", "obligation_raised", OWED],
    ["e", "obligation_discharged", OWED],
  );

  expect(figures(ledger).obligations).toEqual([{ lanes: ["constructor"], ages: [1, 1, 0, 0, 1], overdue: 1 }]);
});

test("an answer counts from the first word that nobody had answered, once", () => {
  const ledger = heard(
    ["a", "message", { message: "m1", kind: "customer" }, NOW],
    ["a", "message", { message: "m2", kind: "customer" }, NOW + HOUR_MS],
    ["a", "answered", { message: "m3", department: "sales" }, NOW + 2 * HOUR_MS],
    ["a", "answered", { message: "m4", department: "sales" }, NOW + 3 * HOUR_MS],
  );

  expect(figures(ledger).responses).toEqual([
    {
      day: "2026-11-26",
      department: "sales",
      count: 1,
      withinHour: 0,
      medianMs: 2 * HOUR_MS,
      p95Ms: 2 * HOUR_MS,
      longestMs: 2 * HOUR_MS,
    },
  ]);
});

test("of twenty who waited half waited no longer than the median, and nineteen no longer than the p95", () => {
  const ledger = newLedger(ZONE);
  for (const [index, minutes] of [...Array(20).keys()].reverse().entries()) {
    const id = `ticket ${index}`;
    follow(ledger, event(2 * index + 1, id, "message", { message: "m", kind: "customer" }, NOW));
    follow(ledger, event(2 * index + 2, id, "answered", { message: "n", department: "sales" }, NOW + minutes * 60_000));
  }

  expect(figures(ledger).responses).toMatchObject([
    { count: 20, withinHour: 20, medianMs: 9 * 60_000, p95Ms: 18 * 60_000, longestMs: 19 * 60_000 },
  ]);
});

test("a duplicate is no open ticket until it is none any more", () => {
  const stage = { stage: "presale", kind: "normal", was: "" };
  const told = [
    ["a", "stage_changed", stage],
    ["b", "stage_changed", stage],
    ["a", "duplicate_marked", { of: "b", by: "sales-1" }],
  ] as const;

  expect(figures(heard(...told)).open).toBe(1);
  expect(figures(heard(...told, ["a", "duplicate_cleared", { of: "b", by: "sales-1" }])).open).toBe(2);
});

test("a ticket that owes something and is quiet is stuck, one that owes nothing is not", () => {
  const quiet = NOW - 3 * DAY_MS;
  const stage = { stage: "presale", kind: "normal", was: "" };
  const ledger = heard(
    ["a", "stage_changed", stage, quiet],
    ["a", "obligation_raised", OWED, quiet],
    ["b", "stage_changed", stage, quiet],
    ["c", "stage_changed", stage, quiet + 1],
    ["c", "obligation_raised", OWED, quiet + 1],
  );

  expect(figures(ledger).stuck.map(({ ticket }) => ticket)).toEqual(["a"]);
});

test("days and tickets that ended are forgotten in time, and what is open is not", () => {
  const ledger = heard(
    ["ended", "stage_changed", { stage: "closed", kind: "settled", was: "" }],
    ["open", "stage_changed", { stage: "presale", kind: "normal", was: "" }],
  );
  for (let day = 1; day <= DAYS_KEPT; day += 1) {
    follow(ledger, event(day + 2, "open", "transitioned", {}, NOW + day * DAY_MS));
  }

  expect([...ledger.tickets.keys()]).toEqual(["ended", "open"]);
  follow(ledger, event(DAYS_KEPT + 3, "open", "transitioned", {}, NOW + (DAYS_KEPT + 1) * DAY_MS));
  expect([...ledger.tickets.keys()]).toEqual(["open"]);
  expect(ledger.days.size).toBe(DAYS_KEPT);
  expect(figures(ledger, NOW + (DAYS_KEPT + 1) * DAY_MS).flow).toHaveLength(DAYS_KEPT);
});

test("what comes for a ticket that was forgotten makes no open ticket of it", () => {
  const ledger = heard(["gone", "delivery", { message: "m", part: 0, state: "failed" }]);

  expect(figures(ledger).open).toBe(0);
  expect(figures(ledger).channels).toMatchObject([{ channel: "", failed: 1 }]);
});

test("a ledger of other days or another form is not gone on with", () => {
  const ledger = newLedger(ZONE);

  expect(isLedger(structuredClone(ledger), ZONE)).toBe(true);
  expect(isLedger(ledger, "UTC")).toBe(false);
  expect(isLedger({ ...ledger, form: 0 }, ZONE)).toBe(false);
  expect(isLedger(undefined, ZONE)).toBe(false);
});
