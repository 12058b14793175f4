import { expect, test } from "vitest";
import {
  type Edit,
  type Entry,
  isReset,
  Outbox,
  type Scalar,
  type SharedDocument,
  type Stored,
} from "../src/recovery/outbox.ts";
import { giveUp, recover } from "../src/recovery/recover.ts";

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
    getMap: () => ({ toJSON: () => refused, set: () => {}, delete: () => {} }),
    getText: () => ({ length: 0, insert: () => {} }),
  };
}

/** A card or a form: its maps, and its notes. */
function paper(): SharedDocument & { maps: Record<string, Record<string, Scalar>>; notes: string } {
  const maps: Record<string, Record<string, Scalar>> = {};
  const document = {
    maps,
    notes: "",
    getArray: () => ({ toJSON: () => [], push: () => {} }),
    getMap: (name: string) => {
      maps[name] ??= {};
      const map = maps[name];
      return {
        toJSON: () => map,
        set: (key: string, value: Scalar) => {
          map[key] = value;
        },
        delete: (key: string) => {
          delete map[key];
        },
      };
    },
    getText: () => ({
      get length() {
        return document.notes.length;
      },
      insert: (at: number, text: string) => {
        document.notes = document.notes.slice(0, at) + text + document.notes.slice(at);
      },
    }),
  };
  return document;
}

const CARD = "ticket/t/card";
const FORM = "ticket/t/form/sales";
const EDITS: readonly Edit[] = [
  { document: CARD, root: "card", values: { customer: "Bakery", title: null } },
  { document: FORM, root: "fields", values: { price: 7 } },
  { document: FORM, root: "payloads", values: { d1: "{}" } },
  { document: FORM, root: "notes", text: "on the " },
  { document: FORM, root: "notes", text: "stairs" },
];

/** Where all tabs store one outbox; without one, nothing was stored. */
function storage(outbox = new Outbox()) {
  const place = { json: JSON.stringify(outbox) };
  return {
    load: () => new Outbox(JSON.parse(place.json)),
    stored: (): Stored => JSON.parse(place.json),
    store: (stored: Stored) => {
      place.json = JSON.stringify(stored);
    },
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

test("what was refused because somebody else had submitted a copy of it is submitted again, once in each life", () => {
  const outbox = new Outbox([entry("copied"), entry("refused")]);
  const life = () => ({
    submit: copy({ transitions: [entry("copied").record] }),
    log: copy({}, { copied: "actor", refused: "from" }),
  });

  for (const copies of [life(), life()]) {
    expect([outbox.submitAgain(copies), outbox.submitAgain(copies)]).toEqual([1, 0]);
    expect(texts(copies.submit, "transitions")).toEqual([entry("copied").record, entry("copied").record]);
  }
});

test("what was refused as a copy and taken since is not submitted again", () => {
  const log = copy({ log: [entry("copied").record] }, { copied: "actor" });

  expect(new Outbox([entry("copied")]).lacking({ submit: copy(), log })).toEqual([]);
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
      stored: () => {
        steps.push("stored");
        return outbox.toJSON();
      },
      store: () => void steps.push("store"),
    },
    async (name, work) => {
      steps.push(name);
      const result = await work();
      steps.push("free");
      return result;
    },
  );

  expect(count).toBe(1);
  expect(steps).toEqual(["crdt-sync recover t", "keep", "drop", "open", "stored", "store", "free"]);
  expect(texts(fresh.submit, "transitions")).toEqual([entry("lost").record]);
});

test("two tabs that share locks recover one after the other, and submit once", async () => {
  const fresh = { submit: copy(), log: copy() };
  const tab = () =>
    recover("t", new Outbox([entry("lost")]), {
      keep: () => {},
      drop: () => {},
      open: async () => fresh,
      ...storage(),
    });

  expect((await Promise.all([tab(), tab()])).reduce((sum, count) => sum + count)).toBe(1);
});

test("edits that were not taken are made again on new copies of cards and forms, in order", async () => {
  const [outbox, old, card, form] = [new Outbox(), paper(), paper(), paper()];
  outbox.write(old, { document: CARD, root: "card", values: { customer: "undone" } });
  outbox.taken(CARD);
  for (const edit of EDITS) {
    outbox.write(old, edit);
  }
  card.getMap("card").set("title", "Fibre");
  const again = new Outbox(JSON.parse(JSON.stringify(outbox)));
  const open = async () => ({ submit: copy(), log: copy(), written: { [CARD]: card, [FORM]: form } });

  expect(await recover("t", again, { keep: () => {}, drop: () => {}, open, ...storage() })).toBe(EDITS.length);
  expect(card.maps).toEqual({ card: { customer: "Bakery" } });
  expect([form.maps, form.notes]).toEqual([{ fields: { price: 7 }, payloads: { d1: "{}" } }, "on the stairs"]);
  expect(again.untaken()).toMatchObject(EDITS);
});

test("what a step carried is brought back to a form that has lost it, also after it was taken, and by one of two tabs", async () => {
  const outbox = new Outbox();
  const form = paper();
  outbox.write(form, { document: FORM, root: "payloads", values: { d1: "{1}", d2: "{2}", d3: "{3}" } });
  outbox.write(form, { document: FORM, root: "payloads", values: { d3: null } });
  outbox.write(form, { document: FORM, root: "fields", values: { price: 7 } });
  outbox.taken(FORM);
  expect(outbox.untaken()).toEqual([]);

  const place = storage(outbox);
  for (const _ of [1, 2]) {
    const fresh = paper();
    fresh.getMap("payloads").set("d2", "{2}");
    const copies = { submit: copy(), log: copy(), written: { [CARD]: paper(), [FORM]: fresh } };
    const tab = () =>
      recover("t", place.load(), { keep: () => {}, drop: () => {}, open: async () => copies, ...place });

    expect([await tab(), await tab()]).toEqual([1, 0]);
    expect(fresh.maps).toEqual({ payloads: { d1: "{1}", d2: "{2}" } });
  }
});

test("two tabs that store one outbox make each edit again once in each life, and keep those of both", async () => {
  const place = storage(new Outbox({ made: [entry("first")], edits: EDITS }));
  const tabs = [place.load(), place.load()];
  tabs[1]?.submit(copy(), entry("second"));
  tabs[1]?.write(paper(), { document: FORM, root: "notes", text: ", and back" });

  for (const _ of [1, 2]) {
    const [card, form] = [paper(), paper()];
    const copies = { submit: copy(), log: copy(), written: { [CARD]: card, [FORM]: form } };
    const open = async () => copies;
    const work = tabs.map((tab) => recover("t", tab, { keep: () => {}, drop: () => {}, open, ...place }));

    await Promise.all(work);
    expect(form.notes).toBe("on the stairs, and back");
    expect(texts(copies.submit, "transitions")).toEqual([entry("first").record, entry("second").record]);
    expect(place.load().untaken().length).toBe(EDITS.length + 1);
  }
});

test("edits of a document that was not opened again stay in the outbox", () => {
  const outbox = new Outbox({ made: [], edits: EDITS });

  expect(outbox.writeAgain({ submit: copy(), log: copy() })).toBe(0);
  expect(outbox.untaken()).toMatchObject(EDITS);
});

test("the edits of a refused document are offered, and those of others stay", async () => {
  const [outbox, steps] = [new Outbox({ made: [], edits: EDITS }), [] as string[]];
  const offered = await giveUp(FORM, outbox, {
    drop: () => void steps.push("drop"),
    open: () => void steps.push("open"),
  });

  expect(offered).toMatchObject(EDITS.slice(1));
  expect([steps, outbox.untaken()]).toMatchObject([["drop", "open"], EDITS.slice(0, 1)]);
});

test("an edit that is made while a refused document is opened anew stays in the outbox", async () => {
  const outbox = new Outbox({ made: [], edits: EDITS });
  const late: Edit = { document: FORM, root: "notes", text: "late" };
  const offered = await giveUp(FORM, outbox, { drop: () => {}, open: () => outbox.write(paper(), late) });

  expect(offered).toMatchObject(EDITS.slice(1));
  expect(outbox.untaken(FORM)).toMatchObject([late]);
});

test("edits stay where a refused document cannot be opened anew", async () => {
  const outbox = new Outbox({ made: [], edits: EDITS });
  const open = () => Promise.reject(new Error("offline"));

  await expect(giveUp(FORM, outbox, { drop: () => {}, open })).rejects.toThrow("offline");
  expect(outbox.untaken()).toMatchObject(EDITS);
});

test("refused entries are told with their codes", () => {
  const outbox = new Outbox([entry("one"), entry("two")]);

  expect(outbox.refused(copy({}, { two: "from", three: "actor" }))).toEqual([{ ...entry("two"), code: "from" }]);
});
