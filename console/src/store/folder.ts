/**
 * The documents of one ticket here, and what was done to them: written in this browser first, then synced.
 *
 * Entries and edits stand in the person's database before they stand in a document, so nothing is lost whenever a page
 * ends, and what a restored service lacks is made again. It knows nothing of what documents mean.
 */

import type * as Y from "yjs";

import type { Lifecycle } from "../lifecycle/model.ts";
import { freshId, isReset, make } from "../recovery/outbox.ts";
import { documentName, documentsOf, kindOf } from "./access.ts";
import type { Change, KeptEdit, KeptEntry, Known, Upload } from "./database.ts";
import type { Desk } from "./desk.ts";
import { Paper } from "./paper.ts";
import { recordsOf } from "./remains.ts";
import { Returning } from "./returning.ts";
import { type Problem, StoreError, type TicketId } from "./types.ts";

/** What the service says to somebody who may not have a document at all, whatever is in it. */
const ACCESS_CODES = new Set(["department", "ticket_scope", "read_only", "revoked", "signed_out", "gateway"]);
const TOKEN_CODES = /^(token|session|signed_out|unauthenticated|Failed)/;
const NOT_THERE_YET = "not_there_yet";

export class Folder {
  readonly id: TicketId;
  /** What was made here and is stored; `edits` are those that the service has not taken. */
  entries: readonly KeptEntry[] = [];
  edits: readonly KeptEdit[] = [];
  uploads: readonly Upload[] = [];
  dismissed: ReadonlySet<string> = new Set();
  /** Why documents do not sync, by name. */
  readonly problems = new Map<string, Problem>();
  /** Whether the last thing that was to be stored was not. */
  hasFailed = false;
  known: Known | null = null;
  isClosed = false;
  readonly papers = new Map<string, Paper>();
  /** The documents that the service has not acknowledged, as far as is known. */
  readonly dirty = new Set<string>();
  readonly changed: () => void;
  #storing = 0;
  #turn: Promise<void> = Promise.resolve(); // what is written is drafted when what was written before it is made
  readonly #tab = freshId();
  readonly #desk: Desk;
  readonly #returning: Returning;

  constructor(id: TicketId, desk: Desk, changed: () => void) {
    this.id = id;
    this.#desk = desk;
    this.changed = changed;
    this.#returning = new Returning(this, desk);
  }

  get lifecycle(): Lifecycle | null {
    return this.known === null ? null : this.#desk.lifecycles.get(this.known.lifecycle);
  }

  get isStoring(): boolean {
    return this.#storing > 0;
  }

  /** A document, null if it is not one of this person's. */
  paper(name: string): Paper | null {
    return this.papers.get(name) ?? null;
  }

  get submitName(): string {
    return documentName(this.id, "submit", this.#desk.person().department);
  }

  /** A document that every ticket here has. */
  doc(kind: "log" | "card" | "submit"): Y.Doc {
    const name = kind === "submit" ? this.submitName : documentName(this.id, kind);
    const paper = this.papers.get(name);
    if (paper === undefined) {
      throw new StoreError(NOT_THERE_YET, "The ticket has not arrived here.");
    }
    return paper.doc;
  }

  /** Read what is kept here; false if the ticket is not known at all. `known` is one that is opened here. */
  async load(known: Known | null = null): Promise<boolean> {
    const { database, tickets } = this.#desk;
    const face = tickets.face(this.id);
    const before = known ?? tickets.known(this.id);
    const lifecycle = before?.lifecycle ?? face?.lifecycle;
    if (lifecycle === undefined) {
      return false;
    }
    const { generations = {} } = before ?? {};
    await this.#remember({ id: this.id, lifecycle, isListed: face !== null, generations, usedAt: Date.now() });
    this.entries = await database.of("entries", this.id);
    this.edits = await database.of("edits", this.id);
    this.uploads = await database.of("uploads", this.id);
    this.dismissed = new Set((await database.of("dismissed", this.id)).map(({ id }) => id));
    for (const { document } of await database.of("dirty", this.id)) {
      this.dirty.add(document);
    }
    await this.openPapers();
    this.#makeWhatIsLacking();
    this.attach();
    return true;
  }

  /** Take in that the service lists the ticket, or does not. */
  async listed(isListed: boolean): Promise<void> {
    if (this.known !== null && this.known.isListed !== isListed) {
      await this.#remember({ ...this.known, isListed });
      for (const paper of isListed ? [] : this.papers.values()) {
        paper.detach();
      }
    }
    await this.openPapers();
    this.attach();
    this.changed();
  }

  /**
   * Write entries and edits, with other changes of the database; resolves when all of it is on the disk.
   *
   * @throws StoreError if this browser does not take it; then the service will not have it either.
   */
  async write(
    entries: readonly KeptEntry[],
    edits: readonly KeptEdit[],
    others: readonly Change[] = [],
  ): Promise<void> {
    const names = [...(entries.length > 0 ? [this.submitName] : []), ...edits.map(({ document }) => document)];
    this.#storing += 1;
    this.changed();
    try {
      const written = this.#turn.then(async () => {
        const drafted = this.#drafted(edits);
        await this.#desk.database.write([
          ...others,
          ...entries.map((put): Change => ({ in: "entries", put })),
          ...drafted.map((put): Change => ({ in: "edits", put })),
          ...names.map((document): Change => ({ in: "dirty", put: { ticket: this.id, document } })),
        ]);
        this.#apply(entries, drafted);
      });
      this.#turn = written.catch(() => undefined); // whoever wrote it is told
      await written;
      await Promise.all(names.map((name) => this.paper(name)?.stored()));
      this.hasFailed = false;
    } catch (error) {
      this.hasFailed = true;
      throw error instanceof StoreError ? error : new StoreError("not_stored", String(error));
    } finally {
      this.#storing -= 1;
      this.changed();
    }
  }

  /** Keep what somebody types into the notes in this tab, as one edit until the service has taken it. */
  typed(document: string, text: string): void {
    const id = `typed ${document} ${this.#tab}`;
    const before = this.edits.find((edit) => edit.id === id && edit.code === undefined);
    const whole = before?.root === "notes" ? before.text + text : text;
    const edit: KeptEdit = { id, ticket: this.id, document, root: "notes", text: whole };
    this.edits = [...this.edits.filter((one) => one !== before), edit];
    this.#note([{ in: "edits", put: edit }]);
  }

  /** Forget edits; what is in the documents stays. */
  async forget(edits: readonly KeptEdit[]): Promise<void> {
    this.edits = this.edits.filter((edit) => !edits.includes(edit));
    await this.#desk.database.write(edits.map(({ id }): Change => ({ in: "edits", remove: [this.id, id] })));
    this.changed();
  }

  /** Try again what the service has closed. */
  retry(): void {
    this.problems.clear();
    for (const paper of this.papers.values()) {
      paper.detach();
    }
    this.attach();
    this.#desk.collab.renew();
    this.changed();
  }

  /** Remember whether somebody has to look after refused work, so that the next page says so at once. */
  noteRefused(hasRefused: boolean): void {
    if (this.known !== null && (this.known.hasRefused ?? false) !== hasRefused) {
      this.known = { ...this.known, hasRefused };
      this.#desk.tickets.remember(this.known);
      this.#note([{ in: "known", put: this.known }]);
    }
  }

  /** Read what another tab has written into a document. */
  async refresh(name: string): Promise<void> {
    await this.papers.get(name)?.refresh();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.papers.values()].map((paper) => paper.close()));
  }

  /** What was written so far, made on the documents. */
  #apply(entries: readonly KeptEntry[], edits: readonly KeptEdit[]): void {
    for (const edit of edits) {
      const paper = this.papers.get(edit.document);
      const [here] = edit.made?.copy === paper?.database ? [edit] : this.#drafted([edit]);
      if (paper !== undefined && here?.made !== undefined) {
        paper.make(here.made.update);
        this.edits = [...this.edits, here];
        this.#note(here === edit ? [] : [{ in: "edits", put: here }]);
      }
    }
    const submit = this.doc("submit");
    submit.transact(() => {
      for (const { root, record } of entries) {
        submit.getArray(root).push([record]);
      }
    });
    this.entries = [...this.entries, ...entries];
  }

  /** The edits, each with what all those of its document change there. */
  #drafted(edits: readonly KeptEdit[]): readonly KeptEdit[] {
    return edits.map((edit) => {
      const paper = this.papers.get(edit.document);
      if (paper === undefined) {
        return edit;
      }
      const all = edits.filter(({ document }) => document === edit.document);
      const update = paper.draft((doc) => {
        for (const one of all) {
          make(doc, one);
        }
      });
      return { ...edit, made: { copy: paper.database, update } };
    });
  }

  /** A page that ended between the two has stored what no document holds. */
  #makeWhatIsLacking(): void {
    const submitted = recordsOf(this.doc("submit"));
    const lacking = this.entries.filter(({ record }) => !submitted.has(record));
    const again = this.edits.filter((edit) => {
      const doc = this.papers.get(edit.document)?.doc;
      return edit.code === undefined && doc !== undefined && (edit.made !== undefined || isLacking(doc, edit));
    });
    this.entries = this.entries.filter((entry) => !lacking.includes(entry));
    this.edits = this.edits.filter((edit) => !again.includes(edit));
    this.#apply(lacking, again);
  }

  async #remember(known: Known): Promise<void> {
    this.known = known;
    this.#desk.tickets.remember(known);
    await this.#desk.database.write([{ in: "known", put: known }]);
  }

  async openPapers(): Promise<void> {
    if (this.known === null || this.isClosed) {
      return;
    }
    const { generations } = this.known;
    for (const name of documentsOf(this.#desk.person(), this.id, this.lifecycle)) {
      if (!this.papers.has(name)) {
        const database = `${this.#desk.database.name} ${name} ${generations[name] ?? 0}`;
        this.papers.set(name, this.#paper(name, database));
      }
    }
    await Promise.all([...this.papers.values()].map((paper) => paper.ready));
    this.changed();
  }

  #paper(name: string, database: string): Paper {
    return new Paper(name, database, {
      changed: (isOwn) => {
        if (isOwn) {
          this.#storing += 1;
          this.#soil(name);
        }
        this.changed();
      },
      stored: (isStored) => {
        this.#storing -= 1;
        this.hasFailed = !isStored;
        this.#desk.tell({ wrote: name, ticket: this.id });
        this.changed();
      },
    });
  }

  #soil(document: string): void {
    if (!this.dirty.has(document)) {
      this.dirty.add(document);
      this.#note([{ in: "dirty", put: { ticket: this.id, document } }]);
    }
  }

  /** Write what need not be waited for; a browser that does not take it is told of. */
  #note(changes: readonly Change[]): void {
    this.#desk.database.write(changes).catch(() => {
      this.hasFailed = !this.isClosed;
      this.changed();
    });
  }

  /** Of a ticket that the service does not know it opens nothing but the own submissions. */
  attach(): void {
    for (const [name, paper] of this.papers) {
      if (!this.problems.has(name) && (this.known?.isListed === true || name === this.submitName)) {
        paper.attach(this.#desk.collab, kindOf(name) === "card", {
          given: () => this.changed(),
          settled: () => this.#settled(name),
          closed: (problem) => this.#closed(name, problem),
        });
      }
    }
  }

  #settled(name: string): void {
    const made = this.#returning.isLacking(name) ? [] : this.edits;
    const taken = made.filter((edit) => edit.document === name && edit.code === undefined);
    this.edits = this.edits.filter((edit) => !taken.includes(edit));
    const wasDirty = this.dirty.delete(name);
    if (wasDirty || taken.length > 0) {
      this.#note([
        { in: "dirty", remove: [this.id, name] },
        ...taken.map(({ id }): Change => ({ in: "edits", remove: [this.id, id] })),
      ]);
      this.changed();
    }
    if (this.known?.isListed === false) {
      this.#desk.relist(false); // its opening is admitted, or refused
    }
  }

  #closed(name: string, problem: Problem): void {
    if (isReset({ reason: problem.code })) {
      this.#returning.reset(name);
    } else if (TOKEN_CODES.test(problem.code)) {
      this.#desk.tokenRefused();
    } else if (problem.code === NOT_THERE_YET) {
      this.#desk.relist(true);
    } else if (["card", "form"].includes(kindOf(name)) && !ACCESS_CODES.has(problem.code)) {
      this.#returning.refused(name, problem.code);
    } else {
      this.problems.set(name, problem);
      this.papers.get(name)?.detach();
    }
    this.changed();
  }
}

/** Whether a document lacks an edit of which nothing says what it changes there, as far as that can be told. */
function isLacking(doc: Y.Doc, edit: KeptEdit): boolean {
  const isUnsealed =
    edit.root === "payloads" && Object.keys(edit.values).some((key) => !doc.getMap(edit.root).has(key));
  return doc.store.clients.size === 0 || isUnsealed;
}
