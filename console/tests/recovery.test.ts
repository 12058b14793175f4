import { expect, test } from "vitest";
import { type Entry, isReset, Outbox, type SharedDocument } from "../src/recovery/outbox.ts";
import { recover } from "../src/recovery/recover.ts";

const entry = (name: string, root: Entry["root"] = "transitions"): Entry => ({
  root,
  record: `{"name":"${name}"}`,
  id: name,
});

function copy(arrays: Record<string, string[]> = {}, refused: Record<string, string> = {}): SharedDocument {
  return {
    getArray: (name) => {
      arrays[name] ??= [];
      const array = arrays[name];
      return { toJSON: () => [...array], push: (values) => array.push(...values) };
    },
    getMap: () => ({ toJSON: () => refused }),
  };
}

const texts = (document: SharedDocument, name: string) => document.getArray(name).toJSON();

test.each([
  [{ code: 4410, reason: "" }, true],
  [{ code: 1000, reason: "reset: The document was made anew." }, true],
  [{ reason: "reset" }, true],
  [{ code: 4422, reason: "refused: reset" }, false],
  [{ code: 1012 }, false],
  [{}, false],
])("%o is a reset: %s", (closing, expected) => {
  expect(isReset(closing)).toBe(expected);
});

test("what the log, the conversation, the submissions and the refusals lack is submitted again, in order", () => {
  const outbox = new Outbox();
  const old = copy();
  const made = ["admitted", "lost", "refused", "waiting", "lost too"].map((name) => entry(name));
  for (const each of [...made, entry("said", "messages"), entry("unsaid", "messages")]) {
    outbox.submit(old, each);
  }
  const submit = copy({ transitions: [entry("waiting").record] });
  const log = copy({ log: [entry("admitted").record] }, { refused: "from" });
  const talk = copy({ messages: [entry("said").record] });

  expect(outbox.submitAgain({ submit, log, talk })).toBe(3);
  expect(texts(submit, "transitions")).toEqual(["waiting", "lost", "lost too"].map((name) => entry(name).record));
  expect(texts(submit, "messages")).toEqual([entry("unsaid").record]);
  expect(outbox.submitAgain({ submit, log, talk })).toBe(0);
});

test("an outbox comes back from storage", () => {
  const outbox = new Outbox();
  outbox.submit(copy(), entry("lost"));
  const again = new Outbox(JSON.parse(JSON.stringify(outbox)));

  expect(again.lacking({ submit: copy(), log: copy() })).toEqual([entry("lost")]);
});

test("copies are kept, dropped and opened anew, in this order and alone", async () => {
  const steps: string[] = [];
  const fresh = { submit: copy(), log: copy() };
  const outbox = new Outbox([entry("lost")]);
  const count = await recover(
    "t",
    outbox,
    {
      keep: () => void steps.push("keep"),
      drop: () => void steps.push("drop"),
      open: async () => {
        steps.push("open");
        return fresh;
      },
    },
    async (name, work) => {
      steps.push(name);
      const result = await work();
      steps.push("free");
      return result;
    },
  );

  expect(count).toBe(1);
  expect(steps).toEqual(["crdt-sync recover t", "keep", "drop", "open", "free"]);
  expect(texts(fresh.submit, "transitions")).toEqual([entry("lost").record]);
});

test("two tabs that share locks recover one after the other, and submit once", async () => {
  const fresh = { submit: copy(), log: copy() };
  const tab = () =>
    recover("t", new Outbox([entry("lost")]), { keep: () => {}, drop: () => {}, open: async () => fresh });

  expect((await Promise.all([tab(), tab()])).reduce((sum, count) => sum + count)).toBe(1);
});
