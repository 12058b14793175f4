/** Two tabs of one browser have one database: what one of them did is not lost by what the other does. */

import "fake-indexeddb/auto";

import { beforeEach, expect, test } from "vitest";

import { documentName } from "../../src/store/access.ts";
import type { Hearing } from "../../src/store/collab.ts";
import type { Known } from "../../src/store/database.ts";
import { Database, type KeptEdit } from "../../src/store/database.ts";
import type { Desk } from "../../src/store/desk.ts";
import { Folder } from "../../src/store/folder.ts";
import type { Person, TicketId } from "../../src/store/types.ts";
import { LIFECYCLES, lifecycleOf } from "../vectors.ts";

const ID = "a".repeat(52) as TicketId;
const LIFECYCLE = lifecycleOf(LIFECYCLES[0]?.name ?? "");
const LANE = [...LIFECYCLE.lanes.values()].find(({ owner }) => owner !== null)?.id ?? "";
const CARD = documentName(ID, "card");
const FORM = documentName(ID, "form", LANE);
const PERSON: Person = { actor: "ada", department: LIFECYCLE.lanes.get(LANE as never)?.owner ?? "", roles: [] };
const KNOWN: Known = { id: ID, lifecycle: LIFECYCLE.digest, isListed: true, generations: {}, usedAt: 0 };

let browser = 0;
beforeEach(() => {
  browser += 1;
});

/** A folder in a tab of its own, and what its documents hear from the service, which never answers by itself. */
async function openTab(): Promise<{ folder: Folder; database: Database; hearings: Map<string, Hearing> }> {
  const database = await Database.open(`browser ${browser}`);
  const hearings = new Map<string, Hearing>();
  const collab = {
    attach: (name: string, _doc: unknown, _shares: boolean, hearing: Hearing) => {
      hearings.set(name, hearing);
      return { provider: { awareness: null }, isGiven: () => true, detach: () => undefined };
    },
    renew: () => undefined,
  };
  const tickets = { face: () => null, known: () => null, remember: () => undefined };
  const lifecycles = { get: () => LIFECYCLE };
  const desk = { database, collab, tickets, lifecycles, person: () => PERSON, tell: () => undefined };
  const folder = new Folder(ID, desk as unknown as Desk, () => undefined);
  await folder.load(KNOWN);
  await folder.listed(true);
  return { folder, database, hearings };
}

type Values = Readonly<Record<string, string>>;

const cardEdit = (id: string, values: Values): KeptEdit => ({ id, ticket: ID, document: CARD, root: "card", values });

test("a refusal offers the edits of every tab", async () => {
  const [one, two] = [await openTab(), await openTab()];
  await two.folder.write([], [cardEdit("2", { customer: "Acme" })]);
  await one.folder.write([], [cardEdit("1", { priority: "high" })]);
  two.hearings.get(CARD)?.closed({ code: "content", message: "" });
  await expect.poll(() => two.folder.edits.map(({ id, code }) => `${id} ${code}`)).toEqual(["1 content", "2 content"]);
  expect((await two.database.of("edits", ID)).map(({ code }) => code)).toEqual(["content", "content"]);
});

const formEdit = (id: string, root: "fields" | "payloads", values: Values): KeptEdit => ({
  id,
  ticket: ID,
  document: FORM,
  root,
  values,
});

const contents = (folder: Folder, document: string, root: string): unknown =>
  folder.paper(document)?.doc.getMap(root).toJSON();

test("what a page stored and did not make before it ended is made by the next one, once", async () => {
  const ending = await openTab();
  await ending.folder.write([], [cardEdit("1", { customer: "Acme" }), formEdit("2", "fields", { site: "Bonn" })]);
  const write = ending.database.write.bind(ending.database);
  ending.database.write = async (changes) => {
    await write(changes);
    await new Promise(() => undefined); // the page ends here
  };
  const lost = [
    cardEdit("3", { priority: "high" }),
    formEdit("4", "payloads", { digest: "sealed" }),
    { id: "5", ticket: ID, document: FORM, root: "notes", text: "ring twice" } as const,
  ];
  void ending.folder.write([], lost);
  await expect.poll(async () => (await ending.database.of("edits", ID)).length).toBe(5);

  for (const { folder } of [await openTab(), await openTab()]) {
    expect(contents(folder, CARD, "card")).toEqual({ customer: "Acme", priority: "high" });
    expect(contents(folder, FORM, "payloads")).toEqual({ digest: "sealed" });
    expect(String(folder.paper(FORM)?.doc.getText("notes"))).toBe("ring twice");
  }
});

test("of two edits at once the later one holds", async () => {
  const { folder } = await openTab();
  await Promise.all(
    ["a", "b", "c", "d"].map((customer, place) => folder.write([], [cardEdit(`${place}`, { customer })])),
  );
  expect(contents(folder, CARD, "card")).toEqual({ customer: "d" });
});

test("notes that were typed in two tabs are kept until each tab's are taken", async () => {
  const [one, two] = [await openTab(), await openTab()];
  one.folder.typed(FORM, "ring ");
  two.folder.typed(FORM, "knock ");
  one.folder.typed(FORM, "twice");
  const kept = async (): Promise<unknown> =>
    (await one.database.of("edits", ID)).map((edit) => (edit.root === "notes" ? edit.text : "")).sort();
  await expect.poll(kept).toEqual(["knock ", "ring twice"]);
  one.hearings.get(FORM)?.settled();
  await expect.poll(kept).toEqual(["knock "]);
});
