/**
 * What a client of Yjs made, kept beside its documents, and submitted again when the service has lost it.
 *
 * A service that was restored answers a copy of a former life with a reset: close code 4410, or a reason that begins
 * `reset`. The client then drops its copies of the ticket, opens new ones, and submits again what they lack. Only what
 * was made here is submitted again: an entry in our name may be somebody else's forgery.
 *
 * Edits of cards and forms are kept until the service has taken them. After a reset they are made again; after a
 * refusal, which closes the document, they are offered to whoever made them, for one of them is what was refused. What
 * transitions carry is kept for good, as they are: named by its digest, it is nothing that a restore could undo.
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
  getMap(name: string): Shared & { set(key: string, value: Scalar): void; delete(key: string): void };
  getText(name: string): { readonly length: number; insert(at: number, text: string): void };
}

/** A value of a card or a form. */
export type Scalar = string | number | boolean | null;

/** What somebody did to the card or a form of this name: values by key, of which null removes one, or a note. */
export type Edit =
  | {
      readonly document: string;
      readonly root: "card" | "fields" | "payloads";
      readonly values: Readonly<Record<string, Scalar>>;
    }
  | { readonly document: string; readonly root: "notes"; readonly text: string };

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
  /** The card and the forms by name, as far as they are written here. */
  readonly written?: Readonly<Record<string, SharedDocument>>;
}

/** An entry that the service has refused, and why. */
export interface Refused extends Entry {
  readonly code: string;
}

/** An edit that is kept; made again, it is another one. */
export type Kept = Edit & { readonly id: string };

/** What transitions carry: for each form, sealed texts by their digests. */
type Payloads = Readonly<Record<string, Readonly<Record<string, Scalar>>>>;

/** How an outbox is stored. `payloads` were taken; `remade` are the ids of the edits that were made again, in whichever tab. */
export interface Stored {
  readonly made: readonly Entry[];
  readonly edits: readonly (Edit & { readonly id?: string })[];
  readonly payloads?: Payloads;
  readonly remade?: readonly string[];
}

/** How a provider tells that a connection or a document was closed. */
export interface Closing {
  readonly code?: number;
  readonly reason?: string;
}

const RESET_CODE = 4410;
const NOT_THE_AUTHOR = "actor";

/** Tell whether the service has closed a document because this copy of it is of a former life. */
export function isReset(closing: Closing): boolean {
  return closing.code === RESET_CODE || (closing.reason ?? "").split(":", 1)[0] === "reset";
}

/** What this client made of one ticket. `toJSON` is to be stored wherever the documents are, by all tabs in one place. */
export class Outbox {
  readonly #made: Entry[];
  #edits: readonly Kept[];
  #payloads: Payloads;
  #remade: readonly string[];
  /** The ids of what was submitted again, by the copy in which that was done. */
  readonly #again = new WeakMap<SharedDocument, ReadonlySet<string>>();

  /** An array is what was stored when only entries were kept. */
  constructor(stored: Stored | readonly Entry[] = []) {
    const { made, edits, payloads = {}, remade = [] }: Stored = "made" in stored ? stored : { made: stored, edits: [] };
    this.#made = [...made];
    this.#edits = named(edits);
    this.#payloads = payloads;
    this.#remade = remade;
  }

  toJSON(): Stored {
    return { made: this.#made, edits: this.#edits, payloads: this.#payloads, remade: this.#remade };
  }

  /** Submit an entry; store the outbox with the document. */
  submit(submit: SharedDocument, entry: Entry): void {
    this.#made.push(entry);
    submit.getArray(entry.root).push([entry.record]);
  }

  /** Edit a card or a form; store the outbox with the document. */
  write(document: SharedDocument, edit: Edit): void {
    this.#edits = [...this.#edits, { ...edit, id: freshId() }];
    make(document, edit);
  }

  /**
   * Forget the edits of a document, but for payloads: its provider says that the service has taken everything; store the
   * outbox.
   */
  taken(name: string): void {
    const edits = this.untaken(name);
    for (const edit of edits) {
      if (edit.root === "payloads") {
        this.#payloads = merged(this.#payloads, { [name]: edit.values });
      }
    }
    this.forget(edits);
  }

  /** Forget these edits, which `untaken` returned. */
  forget(edits: readonly Kept[]): void {
    this.#edits = this.#edits.filter((edit) => !edits.includes(edit));
  }

  /** Return the edits that the service has not taken, as far as is known; of one document if it is named. */
  untaken(name?: string): readonly Kept[] {
    return this.#edits.filter((edit) => name === undefined || edit.document === name);
  }

  /** Return the entries that the service has refused. */
  refused(log: SharedDocument): readonly Refused[] {
    const codes = new Map(Object.entries(Object(log.getMap("refused").toJSON())));
    return this.#made.flatMap((entry) =>
      codes.has(entry.id) ? [{ ...entry, code: String(codes.get(entry.id)) }] : [],
    );
  }

  /**
   * Return what was made here and is in none of the copies, which must be synced. What was refused because somebody
   * else had submitted a copy of it is lacking too, although that copy stands there, until it is submitted again.
   */
  lacking({ submit, log, talk }: Copies): readonly Entry[] {
    const taken = new Set<unknown>([log.getArray("log").toJSON(), talk?.getArray("messages").toJSON() ?? []].flat());
    const submitted = new Set<unknown>(
      [submit.getArray("transitions").toJSON(), submit.getArray("messages").toJSON()].flat(),
    );
    const codes = new Map(this.refused(log).map(({ id, code }) => [id, code]));
    const again = this.#again.get(submit);
    return this.#made.filter(({ id, record }) => {
      const code = codes.get(id);
      const isLacking = code === undefined ? !submitted.has(record) : code === NOT_THE_AUTHOR && !again?.has(id);
      return isLacking && !taken.has(record);
    });
  }

  /** Submit again what the copies lack; return how many entries that were. */
  submitAgain(copies: Copies): number {
    const { submit } = copies;
    const lacking = this.lacking(copies);
    for (const { root, record } of lacking) {
      submit.getArray(root).push([record]);
    }
    this.#again.set(submit, new Set([...(this.#again.get(submit) ?? []), ...lacking.map(({ id }) => id)]));
    return lacking.length;
  }

  /**
   * Make the edits again that were not taken, on new copies, and the payloads that these lack; return how many edits and
   * payloads that were. Those of other documents stay.
   *
   * `stored` is what is stored of the outbox now. What another tab has made again is that tab's, and is not made a second
   * time; what only it holds is kept here too. Store the outbox before another tab does the same.
   */
  writeAgain({ written = {} }: Copies, stored: Stored = this.toJSON()): number {
    const remade = new Set([...this.#remade, ...(stored.remade ?? [])]);
    const own = this.#edits.filter(({ id }) => !remade.has(id));
    const known = new Set([...remade, ...own.map(({ id }) => id)]);
    const others = named(stored.edits).filter(({ id }) => !known.has(id));
    const again = own.filter((edit) => edit.document in written);
    for (const edit of again) {
      make(written[edit.document] as SharedDocument, edit);
    }
    this.#made.push(...stored.made.filter(({ id }) => !this.#made.some((entry) => entry.id === id)));
    this.#edits = [...others, ...own.map((edit) => (again.includes(edit) ? { ...edit, id: freshId() } : edit))];
    this.#remade = [...remade, ...again.map(({ id }) => id)];
    this.#payloads = merged(this.#payloads, stored.payloads ?? {});
    return again.length + this.#bringPayloads(written);
  }

  #bringPayloads(written: Readonly<Record<string, SharedDocument>>): number {
    let count = 0;
    for (const [name, texts] of Object.entries(this.#payloads)) {
      const map = written[name]?.getMap("payloads");
      const there = Object(map?.toJSON());
      for (const [digest, text] of Object.entries(texts)) {
        if (map !== undefined && text !== null && !Object.hasOwn(there, digest)) {
          map.set(digest, text);
          count += 1;
        }
      }
    }
    return count;
  }
}

function merged(one: Payloads, other: Payloads): Payloads {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...names].map((name) => [name, { ...one[name], ...other[name] }]));
}

/** What was stored without ids is named by its place: so all tabs that read it name it alike. */
function named(edits: Stored["edits"]): readonly Kept[] {
  return edits.map((edit, place) => ({ ...edit, id: edit.id ?? String(place) }));
}

/** A UUID would need a secure context. */
export function freshId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/** Make an edit of a card or a form. */
export function make(document: SharedDocument, edit: Edit): void {
  if (edit.root === "notes") {
    const notes = document.getText(edit.root);
    notes.insert(notes.length, edit.text);
    return;
  }
  const map = document.getMap(edit.root);
  for (const [key, value] of Object.entries(edit.values)) {
    if (value === null) {
      map.delete(key);
    } else {
      map.set(key, value);
    }
  }
}
