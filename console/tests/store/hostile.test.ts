/** Whatever somebody wrote into a document, a page shows the rest, and nothing throws. */

import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { Digest, LaneId, TransitionId } from "../../src/lifecycle/ids.ts";
import { make as makeTransition } from "../../src/lifecycle/transition.ts";
import { entriesOf, fatesOf, mediaOf, messagesOf, payloadsOf, scalars, texts } from "../../src/store/content.ts";
import { holders } from "../../src/store/holds.ts";
import { decode, make, salt } from "../../src/store/message.ts";
import { check, digestOf, seal, unseal } from "../../src/store/payload.ts";
import { blank, NO_MARKS, rowOf } from "../../src/store/rows.ts";
import { StoreError, type TicketId } from "../../src/store/types.ts";
import { Believed, chatOf, undelivered } from "../../src/store/view.ts";
import { LIFECYCLES, lifecycleOf } from "../vectors.ts";

const TICKET = "a".repeat(52) as TicketId;
const PERSON = { actor: "ada", department: "sales", roles: ["sales"] };
const SCRIPT = "<script>alert(1)</script>";

const message = (text: string): string =>
  make({ ticket: TICKET, author: "ada", at: 1, parts: [{ type: "text", text }], salt: salt() }).record;

describe("a card", () => {
  test("shows what is of its type, and the rest is absent", () => {
    const doc = new Y.Doc();
    const card = doc.getMap<unknown>("card");
    card.set("title", SCRIPT);
    card.set("customer", new Y.Map());
    card.set("priority", { nested: [1, 2] });
    card.set("tags", new Uint8Array(8));
    card.set("assignee.sales", 7);
    card.set("hold.sales.ada", "x".repeat(500_000));
    const shown = scalars(doc, "card");

    expect([...shown.keys()].sort()).toEqual(["assignee.sales", "hold.sales.ada", "title"]);
    expect(String(shown.get("hold.sales.ada")).length).toBeLessThan(20_000);
    expect(holders(shown).size).toBe(0);
    const row = rowOf({ ...blank(TICKET, "" as Digest), card: shown }, undefined, PERSON, NO_MARKS);
    expect([row.title, row.customer, row.priority, row.tags, row.isMine]).toEqual([SCRIPT, "", null, [], false]);
  });

  test("of half a megabyte has a title of a line", () => {
    const card = new Map([["title", "光".repeat(250_000)]]);
    expect(rowOf({ ...blank(TICKET, "" as Digest), card }, undefined, PERSON, NO_MARKS).title).toHaveLength(256);
  });
});

describe("submissions", () => {
  const lifecycle = lifecycleOf(LIFECYCLES[0]?.name ?? "");

  test("that are forged or damaged are absent", () => {
    const [log, submit] = [new Y.Doc(), new Y.Doc()];
    const forged = makeTransition({
      ticket: TICKET,
      lane: "no_such_lane" as LaneId,
      name: "sign",
      actor: "mallory",
      roles: ["sales"],
      after: ["b".repeat(51).concat("a") as TransitionId],
      lifecycle: lifecycle.digest,
      payload: null,
      at: 1,
    });
    const garbage = ["", "{}", "null", "[".repeat(10_000), "x".repeat(500_000), forged.record.replace("sign", "SIGN ")];
    submit.getArray<unknown>("transitions").push([...garbage, forged.record, 7, null, { record: forged.record }]);
    submit.getArray<unknown>("messages").push([...garbage, message(SCRIPT), true]);

    const entries = entriesOf(submit);
    expect(entries.map(({ root }) => root)).toEqual(["transitions", "transitions", "messages"]);
    expect(undelivered(log, null, submit, "ada").map(({ root }) => root)).toEqual(["messages"]);
    const fold = new Believed(lifecycle, TICKET).fold(log, entries);
    expect(fold.state().ticket).toBeNull();
  });

  test("that are refused leave the view, and come back when they are not refused any more", () => {
    const [log, submit] = [new Y.Doc(), new Y.Doc()];
    const opening = makeTransition({
      ticket: null,
      lane: lifecycle.control.id,
      name: "open",
      actor: "ada",
      roles: lifecycle.openBy.slice(0, 1),
      after: [],
      lifecycle: lifecycle.digest,
      payload: null,
      at: 1,
      subject: "x",
    });
    submit.getArray("transitions").push([opening.record]);
    const believed = new Believed(lifecycle, opening.id);
    expect(believed.fold(log, entriesOf(submit)).state().ticket).toBe(opening.id);
    log.getMap("refused").set(opening.id, "open_by");
    expect(believed.fold(log, entriesOf(submit)).state().ticket).toBeNull();
    expect(undelivered(log, null, submit, "ada").map(({ code }) => code)).toEqual(["open_by"]);
    log.getMap("refused").delete(opening.id);
    expect(believed.fold(log, entriesOf(submit)).state().ticket).toBe(opening.id);
  });
});

describe("a conversation", () => {
  test("shows the messages that decode, and what is known of their parts", () => {
    const talk = new Y.Doc();
    const record = message("光纤");
    talk.getArray<unknown>("messages").push([record, `${record} `, record.replace('"v":1', '"v":2'), 5]);
    for (const [key, value] of Object.entries({ a: "sent", b: "__proto__", c: 4 })) {
      talk.getMap<unknown>("delivery").set(key, value);
    }
    for (const [key, value] of Object.entries({ a: '{"code":"gone"}', b: "{", c: "null", d: '{"digest":1}' })) {
      talk.getMap<unknown>("media").set(key, value);
    }
    expect(messagesOf(talk).map(({ parts }) => parts[0]?.["text"])).toEqual(["光纤"]);
    expect([...fatesOf(talk)]).toEqual([["a", "sent"]]);
    expect([...mediaOf(talk)]).toEqual([["a", { code: "gone" }]]);
    expect(texts(talk, "messages")).toHaveLength(3);
  });

  test("says of a text with which code it was not sent", () => {
    const talk = new Y.Doc();
    const made = make({ ticket: TICKET, author: "ada", at: 1, parts: [{ type: "text", text: "x" }], salt: salt() });
    talk.getArray<unknown>("messages").push([made.record]);
    const parts = () => chatOf(talk, [], [], "ada").flatMap((one) => one.parts);
    expect(parts()).toEqual([{ type: "text", text: "x", delivery: null }]);
    talk.getMap<unknown>("media").set(`${made.id}/0`, '{"code":"plugin.quality.forbidden_word"}');
    expect(parts()).toEqual([{ type: "text", text: "x", refusal: "plugin.quality.forbidden_word", delivery: null }]);
  });

  test("takes no message that nobody could decode", () => {
    const fields = { ticket: TICKET, author: "ada", at: 1, salt: salt() };
    for (const text of ["", "\ud800", "x".repeat(70_000)]) {
      expect(() => make({ ...fields, parts: [{ type: "text", text }] })).toThrow(RangeError);
    }
    expect(() => make({ ...fields, parts: [{ type: "script", text: "x" }] })).toThrow(RangeError);
    expect(decode(message("x"))?.parts).toEqual([{ type: "text", text: "x" }]);
  });
});

describe("payloads", () => {
  test("under another digest than their own are absent", () => {
    const form = new Y.Doc();
    const { digest, text } = seal({ price: "99.50" }, salt());
    form.getMap("payloads").set(digest, text);
    form.getMap("payloads").set("0".repeat(64), text);
    form.getMap("payloads").set(digestOf("{}"), "{}");
    expect([...payloadsOf(form)]).toEqual([[digest, { price: "99.50" }]]);
    expect(unseal(`${text} `)).toBeNull();
  });

  test("have exactly the declared fields", () => {
    const declared = new Map([
      ["price", "money"],
      ["day", "date"],
    ] as const);
    check(declared, { price: "-1.5", day: "2024-02-29" });
    for (const data of [{ price: "1" }, { price: "1", day: "2023-02-29" }, { price: "1e3", day: "2024-01-01" }]) {
      expect(() => check(declared, data)).toThrow(StoreError);
    }
    expect(() => check(new Map(), { constructor: "x" })).toThrow(StoreError);
  });
});
