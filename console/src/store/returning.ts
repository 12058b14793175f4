/**
 * The way back of a ticket's copies that the service does not take: after a restore all of them, after a refusal one.
 *
 * One tab does it at a time. What it drops is written down, what was made here is made again, and the copies that come
 * next have databases of other names; another tab finds those names stored, and opens the same.
 */

import type * as Y from "yjs";

import { Outbox, type Stored } from "../recovery/outbox.ts";
import { acrossTabs, giveUp, type Hold, recover } from "../recovery/recover.ts";
import { documentName, kindOf } from "./access.ts";
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

  constructor(folder: Copied, desk: Desk) {
    this.#folder = folder;
    this.#desk = desk;
  }

  /** Come back with all copies. */
  reset(): void {
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
      .catch(() => undefined) // the connection has gone; the service closes the documents again on the next one
      .finally(() => {
        this.#isUnderWay = false;
        this.#folder.changed();
      });
  }

  async #recover(): Promise<void> {
    if (await this.#isDoneElsewhere([...this.#folder.papers.keys()])) {
      return;
    }
    const old = [...this.#folder.papers.values()].map(({ database }) => database);
    const { database } = this.#desk;
    const stored: Stored = {
      made: await database.of("entries", this.#folder.id),
      edits: (await database.of("edits", this.#folder.id)).filter(({ code }) => code === undefined),
    };
    const handled = new Set(stored.edits.map(({ id }) => id));
    const outbox = new Outbox(stored);
    const isListed = await this.#isOnTheService();
    await recover(
      this.#folder.id,
      outbox,
      {
        keep: () => database.write(this.#remains().map((text): Change => ({ in: "dropped", put: { text } }))),
        drop: () => this.#drop([...this.#folder.papers.keys()], isListed),
        open: () => this.#openAnew(),
        stored: () => outbox.toJSON(),
        store: (now) => this.#storeRecovered(now, handled),
      },
      held,
    );
    old.forEach((name) => {
      indexedDB.deleteDatabase(name);
    });
  }

  #remains(): readonly string[] {
    return remainsOf(
      this.#folder.id,
      this.#folder.papers,
      new Set(this.#folder.entries.map(({ record }) => record)),
      this.#desk.person().actor,
    );
  }

  /** Close copies; those that are opened next have databases of other names. */
  async #drop(names: readonly string[], isListed: boolean): Promise<void> {
    const known = this.#folder.known as Known;
    const generations = { ...known.generations };
    const closing = names.map((name) => {
      generations[name] = (generations[name] ?? 0) + 1;
      const paper = this.#folder.papers.get(name);
      this.#folder.papers.delete(name);
      return paper?.close();
    });
    this.#folder.known = { ...known, isListed, generations };
    await Promise.all(closing);
  }

  async #openAnew(): Promise<{ submit: Y.Doc; log: Y.Doc; talk?: Y.Doc; written: Record<string, Y.Doc> }> {
    await this.#folder.openPapers();
    this.#folder.attach();
    const attached = [...this.#folder.papers.values()].filter((paper) => paper.isAttached);
    await this.#desk.until(() => this.#folder.isClosed || attached.every((paper) => paper.isGiven));
    const talk = this.#folder.papers.get(documentName(this.#folder.id, "talk"))?.doc;
    const written = [...this.#folder.papers.values()].filter(({ name }) => ["card", "form"].includes(kindOf(name)));
    return {
      submit: this.#folder.doc("submit"),
      log: this.#folder.doc("log"),
      ...(talk === undefined ? {} : { talk }),
      written: Object.fromEntries(written.map(({ name, doc }) => [name, doc])),
    };
  }

  async #storeRecovered({ edits }: Stored, handled: ReadonlySet<string | undefined>): Promise<void> {
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
    const outbox = new Outbox({ made: [], edits: this.#folder.edits.filter((edit) => edit.code === undefined) });
    const offered = await giveUp(
      name,
      outbox,
      { drop: () => this.#drop([name], this.#folder.known?.isListed ?? false), open: () => this.#folder.openPapers() },
      held,
    );
    const ids = new Set(offered.map(({ id }) => id));
    this.#folder.edits = this.#folder.edits.map((edit) => (ids.has(edit.id) ? { ...edit, code } : edit));
    this.#folder.dirty.delete(name);
    await this.#desk.database.write([
      { in: "known", put: this.#folder.known as Known },
      { in: "dirty", remove: [this.#folder.id, name] },
      ...this.#folder.edits.filter(({ id }) => ids.has(id)).map((put): Change => ({ in: "edits", put })),
    ]);
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
