import { describe, expect, test } from "vitest";

import { instant } from "../../src/store/instants.ts";
import type { ChatMessage, TicketList, TicketRow } from "../../src/store/types.ts";
import { ago, clock, day, exactly } from "../../src/views/dates.ts";
import { owedLines } from "../../src/views/owed.ts";
import { placeOf } from "../../src/views/places.ts";
import { newlyUnread } from "../../src/views/shell/newly_unread.ts";
import { deliveryWord } from "../../src/views/ticket/delivery_word.ts";
import { fieldText, SHOWN_MAX } from "../../src/views/ticket/field_text.ts";
import { isSend } from "../../src/views/ticket/send_key.ts";
import { say } from "../../src/views/words.ts";
import { LIFECYCLE } from "./lifecycle.ts";
import { row, SALES } from "./rows.ts";

describe("Enter", () => {
  const enter = { key: "Enter", shiftKey: false, isComposing: false, keyCode: 13 };

  test.each([
    [{}, true],
    [{ shiftKey: true }, false],
    [{ isComposing: true }, false],
    [{ keyCode: 229 }, false],
    [{ key: "a" }, false],
  ])("%j: sends %s", (changed, sends) => {
    expect(sends).toBe(isSend({ ...enter, ...changed }));
  });
});

test.each([
  ["/", { page: "start" }],
  ["/board", { page: "board" }],
  ["/console/sales", { page: "list", department: "sales", search: "" }],
  ["/console/sales?q=a%3Fb", { page: "list", department: "sales", search: "?q=a%3Fb" }],
  ["/board?q=a", { page: "board" }],
  ["/console/field%20work/abc", { page: "ticket", department: "field work", ticket: "abc" }],
  ["/console/", { page: "elsewhere" }],
  ["/console/sales/abc/more", { page: "elsewhere" }],
  ["/console/%zz", { page: "elsewhere" }],
  ["/nowhere", { page: "elsewhere" }],
])("%s is %j", (path, place) => {
  expect(place).toEqual(placeOf(path));
});

test("times near are told by how long ago, far ones by their day, unknown ones not at all", () => {
  const now = Date.UTC(2026, 3, 15, 12);
  const told = (passed: number): string => ago(now - passed, now, "en");
  expect([told(-5_000), told(59_000), told(300_000), told(7_200_000), ago(0, now, "en")]).toEqual([
    "now",
    "now",
    expect.stringMatching(/^5 ?m/),
    expect.stringMatching(/^2 ?h/),
    "",
  ]);
  expect("13 Apr 2026").toBe(told(48 * 3_600_000));
});

test("a time of day has its date unless that is today's", () => {
  const now = new Date(2026, 3, 15, 12, 5).getTime();
  expect(["12:05", "13 Apr 2026, 12:05"]).toEqual([0, 48].map((hours) => clock(now - hours * 3_600_000, now, "en")));
  expect(["Wed, 15 Apr 2026", "2026年4月15日周三"]).toEqual([day(now, "en"), day(now, "zh")]);
});

test("what is owed is told in the words of the file", () => {
  const owed = { lane: SALES, moves: ["rule_signed", "rule_lost"], department: "sales" };
  expect(["Sales: Rule that it is signed or Rule that it is lost"]).toEqual(owedLines(LIFECYCLE, [owed], "en"));
  expect(["销售：请复核 销售"]).toEqual(owedLines(LIFECYCLE, [{ ...owed, moves: ["review"] }], "zh"));
});

test("a ticket is told once it has more unread messages than it had, and a new one with its first", () => {
  const [one, other] = [row({ unread: 1 }), row({ id: "b".repeat(52) as never, unread: 3 })];
  const more = { ...one, unread: 2 };
  const list = (...rows: TicketRow[]): TicketList => ({ rows, isComplete: true });
  expect([more, other]).toEqual(newlyUnread(list(one), list(more, other)));
  expect([]).toEqual(newlyUnread(list(more), list(one)));
  expect([]).toEqual(newlyUnread({ rows: [one], isComplete: false }, list(more, other)));
});

describe("the delivery of an answer", () => {
  const answer = (...states: ("sent" | "read" | "failed" | null)[]): ChatMessage => ({
    id: "m",
    kind: "agent",
    author: "ann",
    at: 1,
    parts: states.map((delivery) => ({ type: "text", text: "", delivery })),
    isOwn: true,
    delivery: "saved",
  });

  test.each([
    [[null], "on the server"],
    [["sent", "read"], "sent"],
    [["read", "failed"], "not delivered"],
    [["read"], "read"],
  ] as const)("%j is the worst that became of a part", (states, told) => {
    expect(told).toBe(say("en", deliveryWord(answer(...states))));
  });
});

test("a field edits no value that it shows in part", () => {
  const long = "x".repeat(SHOWN_MAX);
  expect(fieldText(long)).toEqual({ text: long, isWhole: true });
  expect(fieldText(`${long}y`)).toEqual({ text: long, isWhole: false });
});

test.each([253_402_300_800_000, 9_000_000_000_000_000, Number.MAX_SAFE_INTEGER])(
  "%i, which is no date, is shown as the last of the year 9999",
  (at) => {
    expect("9999-12-31T23:59:59.999Z").toBe(instant(at));
    expect(exactly(253_402_300_799_999, "en")).toBe(exactly(at, "en"));
    expect(clock(253_402_300_799_999, 1, "zh")).toBe(clock(at, 1, "zh"));
    expect(day(253_402_300_799_999, "zh")).toBe(day(at, "zh"));
    expect("now").toBe(ago(at, 1, "en"));
    expect(ago(253_402_300_799_999, 2 * at, "en")).toBe(ago(at, 2 * at, "en"));
  },
);
