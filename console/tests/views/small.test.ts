import { describe, expect, test } from "vitest";

import { instant } from "../../src/store/instants.ts";
import type { ChatMessage, TicketList, TicketRow } from "../../src/store/types.ts";
import { ago, clock, day, exactly } from "../../src/views/dates.ts";
import { owedLines } from "../../src/views/owed.ts";
import { placeOf } from "../../src/views/places.ts";
import { isOfOthers, newsOf } from "../../src/views/shell/news.ts";
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
  const owed = { lane: SALES, moves: ["rule_signed", "rule_lost"], department: "sales", trigger: [] };
  expect(["Sales: Rule that it is signed or Rule that it is lost"]).toEqual(owedLines(LIFECYCLE, [owed], "en"));
  expect(["销售：请复核 销售"]).toEqual(owedLines(LIFECYCLE, [{ ...owed, moves: ["review"] }], "zh"));
});

test("a ticket is told once it has more unread messages than it had, and a new one with its first", () => {
  const [one, other] = [row({ unread: 1 }), row({ id: "b".repeat(52) as never, unread: 3 })];
  const more = { ...one, unread: 2 };
  const list = (...rows: TicketRow[]): TicketList => ({ rows, isComplete: true });
  const told = (before: TicketList, after: TicketList): readonly TicketRow[] =>
    newsOf(before, after, "sales").flatMap((news) => (news.isUnread ? [news.row] : []));
  expect([more, other]).toEqual(told(list(one), list(more, other)));
  expect([]).toEqual(told(list(more), list(one)));
  expect([]).toEqual(told({ rows: [one], isComplete: false }, list(more, other)));
});

test("a ticket is told once it owes something new to the department, or was given to whoever is there", () => {
  const owed = { lane: SALES, moves: ["rule_signed"], department: "sales", trigger: [] };
  const [idle, owing, given] = [row(), row({ owed: [owed] }), row({ isMine: true, isGiven: true })];
  const list = (one: TicketRow): TicketList => ({ rows: [one], isComplete: true });
  const news = { row: owing, isUnread: false, isGiven: false, owed: [owed] };
  expect([news]).toEqual(newsOf(list(idle), list(owing), "sales"));
  expect([]).toEqual(newsOf(list(idle), list(owing), "tech"));
  expect([]).toEqual(newsOf(list(owing), list(row({ owed: [owed] })), "sales"));
  expect([{ row: given, isUnread: false, isGiven: true, owed: [] }]).toEqual(newsOf(list(idle), list(given), "sales"));
  expect([]).toEqual(newsOf(list(row({ isMine: true })), list(given), "sales"));
});

test("what one has caused alone is no news to him", () => {
  const [mine, theirs] = ["m".repeat(52), "t".repeat(52)] as unknown as [TicketRow["id"], TicketRow["id"]];
  const told = (...trigger: TicketRow["id"][]): boolean =>
    isOfOthers(row(), [{ lane: SALES, moves: ["sign"], department: "sales", trigger }], new Set([mine]));
  expect([false, true, true, true]).toEqual([told(mine), told(theirs), told(mine, theirs), told()]);
  expect(false).toBe(isOfOthers(row({ id: mine }), [], new Set()));
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
