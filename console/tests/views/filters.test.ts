import { describe, expect, test } from "vitest";

import type { Digest } from "../../src/lifecycle/ids.ts";
import type { TicketId, TicketRow } from "../../src/store/types.ts";
import {
  EVERYTHING_OPEN,
  type Filter,
  filterIn,
  filterOf,
  fits,
  fitting,
  searchOf,
  stagesOf,
  type View,
} from "../../src/views/list/filters.ts";
import { LIFECYCLE } from "./lifecycle.ts";
import { row, SALES } from "./rows.ts";

const LIFECYCLES = new Map([["d" as Digest, LIFECYCLE]]);

function found(query: string, ...rows: readonly TicketRow[]): readonly string[] {
  const filter = { ...EVERYTHING_OPEN, view: "all" as View, query };
  return fitting(rows, filter, "sales", LIFECYCLES).map(({ title }) => title);
}

describe("a search", () => {
  const fibre = row({ title: "Fibre order", customer: "王芳", tags: ["VIP"], assignees: new Map([[SALES, "ann"]]) });
  const router = row({ title: "路由器坏了", customer: "Li", stage: "cancelled" });

  test.each([
    ["fibre", ["Fibre order"]],
    ["ＦＩＢＲＥ", ["Fibre order"]],
    ["王", ["Fibre order"]],
    ["由器", ["路由器坏了"]],
    ["vip ann", ["Fibre order"]],
    ["vip li", []],
    ["已取消", ["路由器坏了"]],
    ["", ["Fibre order", "路由器坏了"]],
    ["[", []],
  ])("for %s finds what holds all of its words, in any language", (query, titles) => {
    expect(titles).toEqual(found(query, fibre, router));
  });

  test("looks into no id, but for the beginning of one", () => {
    const two = row({ title: "Two", id: `b7${"a".repeat(50)}` as TicketId });
    expect([[], [], ["Two"], []]).toEqual(["7", "b7aaa", "B7AAAA", "aaaaaaa"].map((query) => found(query, two)));
  });

  test("looks into the labels of the lifecycle as soon as it is here", () => {
    const early = row({ title: "Early" });
    expect([]).toEqual(fitting([early], { ...EVERYTHING_OPEN, query: "售前" }, "sales", new Map()));
    expect([early]).toEqual(fitting([early], { ...EVERYTHING_OPEN, query: "售前" }, "sales", LIFECYCLES));
  });
});

describe("a view", () => {
  const owed = { lane: SALES, moves: ["sign"], department: "sales", trigger: [] };

  test.each<[View, Partial<TicketRow>, boolean]>([
    ["open", { kind: "settled" }, false],
    ["open", { kind: "final" }, false],
    ["open", { kind: null }, true],
    ["mine", {}, false],
    ["mine", { isMine: true }, true],
    ["owed", { owed: [owed] }, true],
    ["owed", { owed: [{ ...owed, department: "tech" }] }, false],
    ["unread", { unread: 2 }, true],
    ["unread", {}, false],
    ["attention", { kind: "compensation" }, true],
    ["attention", { refused: 1 }, true],
    ["attention", { flags: new Map([[SALES, ["overtaken"]]]) }, true],
    ["attention", {}, false],
    ["all", { kind: "final" }, true],
  ])("%s of %j: %s", (view, changed, isIn) => {
    expect(isIn).toBe(fits(row(changed), view, "sales"));
  });
});

test("stages are offered in the order of the file, with its labels, if a row has them", () => {
  const rows = [row({ stage: "in_service" }), row(), row(), row({ stage: null })];
  expect([
    ["presale", "售前"],
    ["in_service", "服务中"],
  ]).toEqual(stagesOf(rows, LIFECYCLES, "zh"));
});

test.each([null, "x", {}, { view: "constructor", stage: null, query: "" }, { view: "all", stage: 1, query: "" }])(
  "%j, which somebody else kept, is no filter",
  (value) => {
    expect(null).toBe(filterOf(value));
  },
);

test.each<[Filter, string]>([
  [EVERYTHING_OPEN, ""],
  [{ view: "mine", stage: "presale", query: "光纤 & 1?" }, "?view=mine&stage=presale&q=%E5%85%89%E7%BA%A4+%26+1%3F"],
])("%j stands in the address as %j, and comes back from there", (filter, search) => {
  expect(search).toBe(searchOf(filter));
  expect(filter).toEqual(filterIn(search));
});

test("an address that somebody else wrote is no filter", () => {
  expect(EVERYTHING_OPEN).toEqual(filterIn("?view=constructor&q=x"));
});

test("a filter that was kept comes back", () => {
  expect({ ...EVERYTHING_OPEN }).toEqual(filterOf(JSON.parse(JSON.stringify(EVERYTHING_OPEN))));
});
