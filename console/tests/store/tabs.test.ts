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

const cardEdit = (id: string, values: Readonly<Record<string, string>>): KeptEdit => ({
  id,
  ticket: ID,
  document: CARD,
  root: "card",
  values,
});

test("a refusal offers the edits of every tab", async () => {
  const [one, two] = [await openTab(), await openTab()];
  await two.folder.write([], [cardEdit("2", { customer: "Acme" })]);
  await one.folder.write([], [cardEdit("1", { priority: "high" })]);
  two.hearings.get(CARD)?.closed({ code: "content", message: "" });
  await expect.poll(() => two.folder.edits.map(({ id, code }) => `${id} ${code}`)).toEqual(["1 content", "2 content"]);
  expect((await two.database.of("edits", ID)).map(({ code }) => code)).toEqual(["content", "content"]);
});
