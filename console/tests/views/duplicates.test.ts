import { expect, test } from "vitest";
import type { ChatMessage, TicketId } from "../../src/store/types.ts";
import { fitting } from "../../src/views/list/filters.ts";
import { duplicatesOf, thread } from "../../src/views/ticket/duplicates.ts";
import { row } from "./rows.ts";

const marked = (id: string, duplicateOf: string | null): ReturnType<typeof row> =>
  row({ id: id as TicketId, title: id, duplicateOf: duplicateOf as TicketId | null });
const ROWS = [marked("one", "two"), marked("two", "three"), marked("three", null), marked("lone", "not listed")];

test("every ticket whose work goes on in one is found, by way of others too, and a circle ends", () => {
  expect(duplicatesOf(ROWS, "three" as TicketId).map(({ id }) => id)).toEqual(["two", "one"]);
  expect(duplicatesOf(ROWS, "one" as TicketId)).toEqual([]);
  const circle = [marked("one", "two"), marked("two", "one")];
  expect(duplicatesOf(circle, "one" as TicketId).map(({ id }) => id)).toEqual(["two"]);
});

test("a duplicate is behind the ticket in which its work goes on, unless somebody searches or that one is not listed", () => {
  const shown = (query: string): readonly string[] =>
    fitting(ROWS, { view: "all", stage: null, query }, "sales", new Map()).map(({ id }) => id);
  expect(shown("")).toEqual(["three", "lone"]);
  expect(shown("one")).toEqual(["one", "lone"]);
  const unread = [row({ id: "unread" as TicketId, duplicateOf: "three" as TicketId, unread: 1 }), ...ROWS];
  expect(fitting(unread, { view: "unread", stage: null, query: "" }, "sales", new Map())).toEqual(unread.slice(0, 1));
});

test("several conversations are one thread by time, and each message knows whose it is", () => {
  const said = (id: string, at: number): ChatMessage =>
    ({ id, at, kind: "customer", author: "", parts: [], isOwn: false, delivery: "saved" }) as const;
  const told = thread([
    [said("b", 2), said("d", 4)],
    [said("a", 1), said("c", 2)],
  ]);
  expect(told.map(({ message, of }) => [message.id, of])).toEqual([
    ["a", 1],
    ["b", 0],
    ["c", 1],
    ["d", 0],
  ]);
});
