/**
 * One document here: a `Y.Doc`, its database in the browser, and its place on the socket.
 *
 * Several tabs have the same database. Whoever writes tells the others, and they read what is new there.
 */

import { fetchUpdates, IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";

import type { Attached, Collab, Hearing } from "./collab.ts";
import { StoreError } from "./types.ts";

const NOTHING = Y.encodeStateAsUpdate(new Y.Doc());

/** What a paper tells its owner. */
export interface PaperEvents {
  /** The content changed; `isOwn` if somebody did it in this tab. */
  changed(isOwn: boolean): void;
  /** What was done in this tab is in its database, or could not be put there. */
  stored(isStored: boolean): void;
}

export class Paper {
  readonly name: string;
  readonly doc = new Y.Doc();
  readonly database: string;
  /** When what is kept in the browser has been read. */
  readonly ready: Promise<void>;
  /** Counts changes. */
  revision = 0;
  readonly #writer = new Y.Doc().clientID; // of what is drafted: what is typed meanwhile goes on under the document's own
  #isClosed = false;
  #firstKey = 0;
  #written = 0; // rows of this tab since then
  #attached: Attached | null = null;
  readonly #persistence: IndexeddbPersistence;

  constructor(name: string, database: string, events: PaperEvents) {
    this.name = name;
    this.database = database;
    this.#persistence = new IndexeddbPersistence(database, this.doc);
    this.ready = this.#open();
    this.doc.on("update", (_update: Uint8Array, origin: unknown, _doc: Y.Doc, { local }: Y.Transaction) => {
      this.revision += 1;
      this.#written += origin === this.#persistence ? 0 : 1;
      const isOwn = local || origin === this;
      events.changed(isOwn);
      if (isOwn) {
        void this.stored().then(
          () => events.stored(true),
          () => events.stored(this.#isClosed), // a copy that was dropped is of no interest
        );
      }
    });
  }

  /** Who is here, where the paper was attached so that it tells. */
  get awareness(): Attached["provider"]["awareness"] {
    return this.#attached?.provider.awareness ?? null;
  }

  /** Whether it is on the socket. */
  get isAttached(): boolean {
    return this.#attached !== null;
  }

  /** Whether the service has given what this copy lacked, on this connection. */
  get isGiven(): boolean {
    return this.#attached?.isGiven() ?? false;
  }

  /** Sync it, from when it was read on. */
  attach(collab: Collab, shares: boolean, hearing: Hearing): void {
    if (this.#attached === null && !this.#isClosed) {
      this.#attached = collab.attach(this.name, this.doc, shares, hearing);
    }
  }

  /** Sync it no longer. */
  detach(): void {
    this.#attached?.detach();
    this.#attached = null;
  }

  /** Return what an edit would change; draft the next one when this one is made, or is not to be. */
  draft(edit: (doc: Y.Doc) => void): Uint8Array {
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(this.doc));
    copy.clientID = this.#writer;
    let drafted = NOTHING;
    copy.on("update", (update: Uint8Array) => {
      drafted = update;
    });
    copy.transact(() => edit(copy));
    return drafted;
  }

  /** Make what was drafted. */
  make(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this);
  }

  /** Read what other tabs have written. */
  async refresh(): Promise<void> {
    await this.ready;
    if (!this.#isClosed) {
      await fetchUpdates(this.#persistence);
    }
  }

  /**
   * Wait until all that was written so far is in the database.
   *
   * The persistence does not say what became of its writes. Its transactions run one after another, and each row gets
   * the next key: so the next transaction finds as many more keys as there were writes, or one of them failed.
   */
  async stored(): Promise<void> {
    await this.ready;
    const written = this.#written;
    await fetchUpdates(this.#persistence);
    if (this.#persistence._dbref - this.#firstKey < written) {
      throw new StoreError("not_stored", "This browser does not take what was written.");
    }
  }

  async #open(): Promise<void> {
    await this.#persistence.whenSynced;
    await fetchUpdates(this.#persistence);
    this.#firstKey = this.#persistence._dbref;
    this.#written = 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.detach();
    await this.#persistence.destroy();
    this.doc.destroy();
  }
}
