/**
 * The way back of copies that the service does not take: of a former life after a restore, or refused for what is in them.
 *
 * One tab does it at a time. What it drops is written down, what was made here is made again, and the copies that come
 * next have databases of other names; another tab finds those names stored, and opens the same.
 */

import type * as Y from "yjs";

import type { Lifecycle } from "../lifecycle/model.ts";
import { Outbox, type SharedDocument, type Stored } from "../recovery/outbox.ts";
import { acrossTabs, giveUp, type Hold, recover } from "../recovery/recover.ts";
import { documentName, formsOf, kindOf, owns } from "./access.ts";
import { textsByKey } from "./content.ts";
import type { Change, KeptEdit, KeptEntry, Known } from "./database.ts";
import type { Desk } from "./desk.ts";
import type { Paper } from "./paper.ts";
import { remainsOf } from "./remains.ts";
import { StoreError, type TicketId } from "./types.ts";

const held: Hold = (_name, work) => work(); // under a lock that is held already

/** The folder whose copies are to come back. */
export interface Copied {
  readonly id: TicketId;
  readonly entries: readonly KeptEntry[];
  readonly papers: Map<string, Paper>;
  readonly dirty: Set<string>;
  readonly isClosed: boolean;
  readonly lifecycle: Lifecycle | null;
  known: Known | null;
  edits: readonly KeptEdit[];
  doc(kind: "log" | "submit"): Y.Doc;
  /** Open the papers that are not open. */
  openPapers(): Promise<void>;
  /** Put on the socket what may be there. */
  attach(): void;
  changed(): void;
}

export class Returning {
  readonly #folder: Copied;
  readonly #desk: Desk;
  #isUnderWay = false;
  readonly #former = new Set<string>(); // the documents whose copies are of a former life
  readonly #dropped = new Set<string>(); // the documents whose new copies lack what is still to be made again

  constructor(folder: Copied, desk: Desk) {
    this.#folder = folder;
    this.#desk = desk;
  }

  /** Tell whether edits of a document are still to be made again: that its copy is taken says nothing of them. */
  isLacking(name: string): boolean {
    return this.#dropped.has(name);
  }

  /** Come back with a copy of a former life. */
  reset(name: string): void {
    this.#former.add(name);
    this.#alone(() => this.#recover());
  }

  /** Come back with a card or a form of which the service has refused something: what it refused is offered. */
  refused(name: string, code: string): void {
    this.#alone(() => this.#giveUp(name, code));
  }

  /** Do it in one tab after another. What comes meanwhile is told again by the service when it is done. */
  #alone(work: () => Promise<void>): void {
    if (this.#isUnderWay) {
      return;
    }
    this.#isUnderWay = true;
    acrossTabs(`crdt-sync recover ${this.#desk.database.name} ${this.#folder.id}`, work)
      .then(() => true)
      .catch((error: unknown) => {
        // Where the connection has gone, the service closes the documents again on the next one.
        if (!(error instanceof StoreError) || !["offline", "signed_out"].includes(error.code)) {
          throw error;
        }
        return false;
      })
      .then((isDone) => {
        this.#isUnderWay = false;
        this.#dropped.clear();
        this.#folder.changed();
        if (isDone && this.#former.size > 0) {
          this.#alone(() => this.#recover());
        }
      });
  }

  async #recover(): Promise<void> {
    const isListed = await this.#isOnTheService();
    await this.#heardOfAll(isListed);
    const names = [...this.#former];
    this.#former.clear();
    if (await this.#isDoneElsewhere(names)) {
      return;
    }
    const { id, papers } = this.#folder;
    const old = names.map((name) => papers.get(name)?.database ?? "");
    const { database } = this.#desk;
    const stored: Stored = {
      made: await database.of("entries", id),
      edits: (await database.of("edits", id))
        .filter((edit) => edit.code === undefined && names.includes(edit.document))
        .map(({ made: _, ...edit }) => edit), // it was made in the old copy
    };
    const handled = new Set(stored.edits.map((edit) => edit.id));
    const outbox = new Outbox(stored);
    const payloads = this.#payloads(names);
    await recover(
      id,
      outbox,
      {
        keep: () => database.write(this.#remains(names).map((text): Change => ({ in: "dropped", put: { text } }))),
        drop: () => this.#drop(names, isListed),
        open: () => this.#openAnew(names, payloads),
        stored: () => outbox.toJSON(),
        store: (now) => this.#storeRecovered(now, handled),
      },
      held,
    );
    for (const name of old) {
      indexedDB.deleteDatabase(name);
    }
  }

  /**
   * Wait until it is known of every copy whether it is of a former life: one that is not is synced as it is, and what was
   * made on it is not made again. Of a ticket that the service has lost, its log and its conversation are.
   */
  async #heardOfAll(isListed: boolean): Promise<void> {
    const { id, papers } = this.#folder;
    if (isListed) {
      const isKnown = (paper: Paper): boolean => !paper.isAttached || paper.isGiven || this.#former.has(paper.name);
      await this.#desk.until(() => [...papers.values()].every(isKnown));
      return;
    }
    for (const [name, paper] of papers) {
      if (kindOf(name) !== "submit") {
        paper.detach();
      }
    }
    for (const name of [documentName(id, "log"), documentName(id, "talk")].filter((one) => papers.has(one))) {
      this.#former.add(name);
    }
  }

  #remains(names: readonly string[]): readonly string[] {
    return remainsOf(
      this.#folder.id,
      new Map([...this.#folder.papers].filter(([name]) => names.includes(name))),
      new Set(this.#folder.entries.map(({ record }) => record)),
      this.#desk.person().actor,
    );
  }

  /** What the own forms hold of payloads: named by their digests, they are nothing that a restore could undo. */
  #payloads(names: readonly string[]): ReadonlyMap<string, ReadonlyMap<string, string>> {
    const { lifecycle, id, papers } = this.#folder;
    const person = this.#desk.person();
    const lanes = lifecycle === null ? [] : formsOf(person, lifecycle).filter((lane) => owns(person, lifecycle, lane));
    const own = lanes.map((lane) => documentName(id, "form", lane)).filter((name) => names.includes(name));
    return new Map(
      [...papers]
        .filter(([name]) => own.includes(name))
        .map(([name, { doc }]) => [name, textsByKey(doc, "payloads")] as const),
    );
  }

  /** Put new copies, with databases of other names, in the place of these. */
  async #drop(names: readonly string[], isListed: boolean): Promise<void> {
    const known = this.#folder.known as Known;
    const generations = { ...known.generations };
    const former = names.map((name) => {
      generations[name] = (generations[name] ?? 0) + 1;
      this.#dropped.add(name);
      const paper = this.#folder.papers.get(name);
      this.#folder.papers.delete(name);
      return paper;
    });
    this.#folder.known = { ...known, isListed, generations };
    const opening = this.#folder.openPapers(); // first and at once: a view looks at any moment, and when one is closed
    await Promise.all([...former.map((paper) => paper?.close()), opening]);
  }

  async #openAnew(
    names: readonly string[],
    payloads: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ): Promise<{ submit: Y.Doc; log: Y.Doc; talk?: Y.Doc; written: Record<string, SharedDocument> }> {
    await this.#folder.openPapers();
    this.#folder.attach();
    const attached = [...this.#folder.papers.values()].filter((paper) => paper.isAttached);
    await this.#desk.until(() => this.#folder.isClosed || attached.every((paper) => paper.isGiven));
    for (const [name, texts] of payloads) {
      const map = this.#folder.papers.get(name)?.doc.getMap("payloads");
      for (const [digest, text] of texts) {
        if (map !== undefined && !map.has(digest)) {
          map.set(digest, text);
        }
      }
    }
    const talk = this.#folder.papers.get(documentName(this.#folder.id, "talk"))?.doc;
    const written = [...this.#folder.papers.values()].filter(
      ({ name }) => names.includes(name) && ["card", "form"].includes(kindOf(name)),
    );
    return {
      submit: this.#folder.doc("submit"),
      log: this.#folder.doc("log"),
      ...(talk === undefined ? {} : { talk }),
      written: Object.fromEntries(written.map(({ name, doc }) => [name, unheard(doc, this.#folder)])),
    };
  }

  async #storeRecovered({ edits }: Stored, handled: ReadonlySet<string | undefined>): Promise<void> {
    this.#dropped.clear(); // they are made again, and the copies with them may be taken from now on
    const now = edits.map((edit): KeptEdit => ({ ...edit, id: edit.id ?? "", ticket: this.#folder.id }));
    this.#folder.edits = [...this.#folder.edits.filter(({ id }) => !handled.has(id)), ...now];
    this.#desk.tickets.remember(this.#folder.known as Known);
    await this.#desk.database.write([
      { in: "known", put: this.#folder.known as Known },
      ...[...handled].map((id): Change => ({ in: "edits", remove: [this.#folder.id, id ?? ""] })),
      ...now.map((put): Change => ({ in: "edits", put })),
    ]);
  }

  async #giveUp(name: string, code: string): Promise<void> {
    if (await this.#isDoneElsewhere([name])) {
      this.#desk.collab.renew();
      return;
    }
    const { database } = this.#desk;
    const { id } = this.#folder;
    const edits = (await database.of("edits", id)).filter(({ code: refused }) => refused === undefined); // of every tab
    const outbox = new Outbox({ made: [], edits });
    const offered = await giveUp(
      name,
      outbox,
      { drop: () => this.#drop([name], this.#folder.known?.isListed ?? false), open: () => this.#folder.openPapers() },
      held,
    );
    this.#folder.dirty.delete(name);
    await database.write([
      { in: "known", put: this.#folder.known as Known },
      { in: "dirty", remove: [id, name] },
      ...offered.map((edit): Change => ({ in: "edits", put: { ...edit, ticket: id, code } })),
    ]);
    this.#folder.edits = await database.of("edits", id);
    this.#folder.attach();
    this.#desk.collab.renew(); // what was refused stays refused on its connection
  }

  /** Another tab may have recovered already: then its copies are opened here, too. */
  async #isDoneElsewhere(names: readonly string[]): Promise<boolean> {
    const [kept, known] = [await this.#desk.database.one("known", this.#folder.id), this.#folder.known];
    const newer = names.filter((name) => (kept?.generations[name] ?? 0) > (known?.generations[name] ?? 0));
    if (kept === undefined || newer.length === 0) {
      return false;
    }
    await this.#drop(newer, kept.isListed);
    this.#folder.known = kept;
    this.#folder.edits = await this.#desk.database.of("edits", this.#folder.id);
    await this.#folder.openPapers();
    this.#folder.attach();
    return true;
  }

  async #isOnTheService(): Promise<boolean> {
    try {
      await this.#desk.api.ask(`/api/tickets/${this.#folder.id}`);
      return true;
    } catch (error) {
      if (error instanceof StoreError && !["offline", "signed_out"].includes(error.code)) {
        return false;
      }
      throw error;
    }
  }
}

/** A document whose notes are written in the folder's name: what is made again was not typed anew. */
function unheard(doc: Y.Doc, folder: Copied): SharedDocument {
  return {
    getArray: (name) => doc.getArray(name),
    getMap: (name) => doc.getMap(name),
    getText: (name) => {
      const text = doc.getText(name);
      return {
        length: text.length,
        insert: (at, more) => doc.transact(() => text.insert(at, more), folder),
      };
    },
  };
}
