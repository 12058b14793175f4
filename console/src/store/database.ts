/**
 * What is kept in the browser for one person beside the documents: one IndexedDB database, a transaction a change.
 *
 * Documents have databases of their own (`paper.ts`), whose names begin with this one's. Whatever a person did is written
 * here first, so a page that ends at any moment finds it again.
 */

import type { Entry, Stored } from "../recovery/outbox.ts";
import type { Person, TicketId } from "./types.ts";

const VERSION = 1;

/** What is known of a ticket that was opened here, beside its documents. */
export interface Known {
  readonly id: TicketId;
  readonly lifecycle: string;
  readonly isListed: boolean; // the service has told of it
  readonly generations: Readonly<Record<string, number>>; // how often a document's copy was dropped: part of its database's name
  readonly usedAt: number; // when it was last opened here
  readonly hasRefused?: boolean; // somebody has to look after refused work
}

/** An entry that was made here, as `recovery` knows it. */
export type KeptEntry = Entry & { readonly ticket: TicketId };

/** An edit of a card or a form that the service has not taken; `code` says that it has refused it. */
export type KeptEdit = Stored["edits"][number] & {
  readonly id: string;
  readonly ticket: TicketId;
  readonly code?: string;
  readonly made?: Made;
};

/** What an edit changes in the copy of its document whose database has this name: a second time it changes nothing. */
interface Made {
  readonly copy: string;
  readonly update: Uint8Array;
}

/** A file that waits for a connection, or was refused with `code`. */
export interface Upload {
  readonly id: string;
  readonly ticket: TicketId;
  readonly name: string;
  readonly text: string;
  readonly at: number;
  readonly type: string;
  readonly content: ArrayBuffer;
  readonly code?: string;
}

/** What each table holds, and under which key. */
export interface Tables {
  meta: { readonly key: string; readonly value: unknown };
  rows: { readonly id: TicketId; readonly [field: string]: unknown }; // as the service lists tickets
  lifecycles: { readonly digest: string; readonly file: unknown };
  known: Known;
  entries: KeptEntry;
  edits: KeptEdit;
  dirty: { readonly document: string; readonly ticket: TicketId }; // not acknowledged, as far as is known
  uploads: Upload;
  dismissed: { readonly ticket: TicketId; readonly id: string };
  unread: { readonly ticket: TicketId; readonly count: number };
  dropped: { readonly text: string };
}

const KEYS: Readonly<Record<keyof Tables, string | string[] | null>> = {
  meta: "key",
  rows: "id",
  lifecycles: "digest",
  known: "id",
  entries: ["ticket", "id"],
  edits: ["ticket", "id"],
  dirty: ["ticket", "document"],
  uploads: ["ticket", "id"],
  dismissed: ["ticket", "id"],
  unread: "ticket",
  dropped: null,
};

/** Tables whose keys begin with a ticket. */
type OfTicket = "entries" | "edits" | "dirty" | "uploads" | "dismissed";

/** One change of one table. */
export type Change = {
  [T in keyof Tables]:
    | { readonly in: T; readonly put: Tables[T] }
    | { readonly in: T; readonly remove: string | readonly [TicketId, string] };
}[keyof Tables];

/** The name of a person's database at a service. */
export function databaseName(origin: string, person: Person): string {
  return `crdt-sync ${origin} ${person.department} ${person.actor}`;
}

/** One person's tables. */
export class Database {
  readonly name: string;
  readonly #connection: IDBDatabase;

  private constructor(name: string, connection: IDBDatabase) {
    this.name = name;
    this.#connection = connection;
    // Whoever removes the person's data in another tab must not wait for this one.
    connection.onversionchange = () => connection.close();
  }

  static async open(name: string): Promise<Database> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      for (const [table, keyPath] of Object.entries(KEYS)) {
        request.result.createObjectStore(table, keyPath === null ? { autoIncrement: true } : { keyPath });
      }
    };
    return new Database(name, await done(request));
  }

  /** Everything in a table. */
  all<T extends keyof Tables>(table: T): Promise<Tables[T][]> {
    return done(this.#connection.transaction(table).objectStore(table).getAll());
  }

  /** What a table holds of one ticket. */
  of<T extends OfTicket>(table: T, ticket: TicketId): Promise<Tables[T][]> {
    const range = IDBKeyRange.bound([ticket], [ticket, []]); // an array stands above every text
    return done(this.#connection.transaction(table).objectStore(table).getAll(range));
  }

  /** One thing by its key. */
  one<T extends keyof Tables>(table: T, key: string): Promise<Tables[T] | undefined> {
    return done(this.#connection.transaction(table).objectStore(table).get(key));
  }

  /** A value by its name. */
  async meta<T>(key: string): Promise<T | undefined> {
    return (await this.one("meta", key))?.value as T | undefined;
  }

  /** Make changes, all or none of them; resolves when they are on the disk. */
  async write(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) {
      return;
    }
    const tables = [...new Set(changes.map((change) => change.in))];
    const transaction = this.#connection.transaction(tables, "readwrite", { durability: "strict" });
    for (const change of changes) {
      const store = transaction.objectStore(change.in);
      if ("put" in change) {
        store.put(change.put);
      } else {
        store.delete(change.remove as IDBValidKey);
      }
    }
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }

  close(): void {
    this.#connection.close();
  }

  /** Remove a database; another tab that has it open closes it. */
  static async remove(name: string): Promise<void> {
    await done(indexedDB.deleteDatabase(name));
  }
}

/** Wait for a request. */
export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
