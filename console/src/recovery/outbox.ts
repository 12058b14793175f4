/**
 * What a client of Yjs made, kept beside its documents, and submitted again when the service has lost it.
 *
 * A service that was restored answers a copy of a former life with a reset: close code 4410, or a reason that begins
 * `reset`. The client then drops its copies of the ticket, opens new ones, and submits again what they lack. Only what
 * was made here is submitted again: an entry in our name may be somebody else's forgery.
 *
 * It knows no provider, and of Yjs only the shape of a document.
 */

/** An array or a map of a Yjs document, as far as it is needed here. */
interface Shared {
  toJSON(): unknown;
}

/** A `Y.Doc`. */
export interface SharedDocument {
  getArray(name: string): Shared & { push(values: string[]): void };
  getMap(name: string): Shared;
}

/** The root of a `submit` document in which an entry stands. */
export type Root = "transitions" | "messages";

/** A canonical record, and its id as `log`'s `refused` names it. */
export interface Entry {
  readonly root: Root;
  readonly record: string;
  readonly id: string;
}

/** The copies that say what became of entries; whoever may not read the conversation has no `talk`. */
export interface Copies {
  readonly submit: SharedDocument;
  readonly log: SharedDocument;
  readonly talk?: SharedDocument;
}

/** How a provider tells that a connection or a document was closed. */
export interface Closing {
  readonly code?: number;
  readonly reason?: string;
}

const RESET_CODE = 4410;

/** Tell whether the service has closed a document because this copy of it is of a former life. */
export function isReset(closing: Closing): boolean {
  return closing.code === RESET_CODE || (closing.reason ?? "").split(":", 1)[0] === "reset";
}

/** The entries of one ticket that this client made. `toJSON` is to be stored wherever the documents are. */
export class Outbox {
  readonly #made: Entry[];

  constructor(made: readonly Entry[] = []) {
    this.#made = [...made];
  }

  toJSON(): readonly Entry[] {
    return this.#made;
  }

  /** Submit an entry; store the outbox with the document. */
  submit(submit: SharedDocument, entry: Entry): void {
    this.#made.push(entry);
    submit.getArray(entry.root).push([entry.record]);
  }

  /** Return what was made here and is in none of the copies, which must be synced. */
  lacking({ submit, log, talk }: Copies): readonly Entry[] {
    const held = new Set<unknown>(
      [
        submit.getArray("transitions").toJSON(),
        submit.getArray("messages").toJSON(),
        log.getArray("log").toJSON(),
        talk?.getArray("messages").toJSON() ?? [],
      ].flat(),
    );
    const refused = new Set(Object.keys(Object(log.getMap("refused").toJSON())));
    return this.#made.filter((entry) => !held.has(entry.record) && !refused.has(entry.id));
  }

  /** Submit again what the copies lack; return how many entries that were. */
  submitAgain(copies: Copies): number {
    const lacking = this.lacking(copies);
    for (const { root, record } of lacking) {
      copies.submit.getArray(root).push([record]);
    }
    return lacking.length;
  }
}
