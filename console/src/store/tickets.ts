/** The list of tickets: what the service lists, kept here, with what only this browser knows of each. */

import type { Api } from "./api.ts";
import type { Change, Database, Known } from "./database.ts";
import type { Lifecycles } from "./lifecycles.ts";
import { Derived } from "./observable.ts";
import { byChange, type Face, faceOf, NO_MARKS, rowOf } from "./rows.ts";
import type { Person, TicketId, TicketList, TicketRow } from "./types.ts";

const PAGE = 500; // the most that the service gives at once
const LISTED = "listed up to";

/** How far the service has told: `listed` and `heard` are positions, `asOf` a time. */
interface Told {
  readonly listed: number; // of the list
  readonly heard: number; // of events
  readonly asOf: number;
}

interface Page {
  readonly tickets: readonly Readonly<Record<string, unknown>>[];
  readonly next: string | null;
  readonly position: number;
}

export class Tickets {
  readonly list: Derived<TicketList>;
  readonly #database: Database;
  readonly #api: Api;
  readonly #lifecycles: Lifecycles;
  readonly #person: () => Person;
  readonly #listed = new Map<TicketId, Face>();
  readonly #rows = new Map<TicketId, TicketRow>(); // of what is listed, as long as nothing of it changes
  readonly #own = new Map<TicketId, TicketRow>(); // of tickets that are open here
  readonly #known = new Map<TicketId, Known>();
  readonly #unread = new Map<TicketId, number>();
  #told: Told = { listed: 0, heard: 0, asOf: 0 };
  #refreshing: Promise<unknown> = Promise.resolve();

  constructor(database: Database, api: Api, lifecycles: Lifecycles, person: () => Person) {
    this.#database = database;
    this.#api = api;
    this.#lifecycles = lifecycles;
    this.#person = person;
    this.list = new Derived(() => this.#work());
    lifecycles.all.subscribe(() => this.#changed([...this.#listed.keys()]));
  }

  /** Up to where events were handled. */
  get heard(): number {
    return this.#told.heard;
  }

  /** Up to where the list is known. */
  get listedTo(): number {
    return this.#told.listed;
  }

  /** Whether the service was ever asked. */
  get isComplete(): boolean {
    return this.#told.asOf > 0;
  }

  /** Read what is kept here. */
  async load(): Promise<void> {
    for (const listed of await this.#database.all("rows")) {
      this.#listed.set(listed.id, faceOf(listed));
    }
    for (const known of await this.#database.all("known")) {
      this.#known.set(known.id, known);
    }
    for (const { ticket, count } of await this.#database.all("unread")) {
      this.#unread.set(ticket, count);
    }
    this.#told = (await this.#database.meta<Told>(LISTED)) ?? this.#told;
    this.#changed([...this.#listed.keys()]);
  }

  face(id: TicketId): Face | null {
    return this.#listed.get(id) ?? null;
  }

  known(id: TicketId): Known | null {
    return this.#known.get(id) ?? null;
  }

  /** What is known of every ticket that was ever opened here. */
  get everKnown(): readonly Known[] {
    return [...this.#known.values()];
  }

  unread(id: TicketId): number {
    return this.#unread.get(id) ?? 0;
  }

  /** Take in what is known of a ticket; the caller has stored it. */
  remember(known: Known): void {
    this.#known.set(known.id, known);
  }

  /** Show an open ticket as its documents here say; null: as the service lists it. */
  show(id: TicketId, row: TicketRow | null): void {
    if ((this.#own.get(id) ?? null) === row) {
      return;
    }
    if (row === null) {
      this.#own.delete(id);
    } else {
      this.#own.set(id, row);
    }
    this.list.touch();
  }

  /** Count a message that nobody has read; null: all were read. */
  async count(id: TicketId, more: number | null): Promise<void> {
    const count = more === null ? 0 : this.unread(id) + more;
    if (count !== this.unread(id)) {
      this.#unread.set(id, count);
      this.#changed([id]);
      await this.#database.write([{ in: "unread", put: { ticket: id, count } }]);
    }
  }

  /** Note up to where events were handled, if it is further than is known. */
  async handled(position: number): Promise<void> {
    if (position > this.#told.heard) {
      this.#told = { ...this.#told, heard: position };
      await this.#database.write([{ in: "meta", put: { key: LISTED, value: this.#told } }]);
    }
  }

  /** Forget how far the service has told: it is another one, or was restored. */
  distrust(): void {
    this.#told = { listed: 0, heard: 0, asOf: this.#told.asOf };
  }

  /** Ask the service what changed since it was asked last, or `anew` for all; returns the tickets that it has lost. */
  refresh(anew = false): Promise<readonly TicketId[]> {
    const refreshed = this.#refreshing.then(() => this.#refresh(anew || !this.isComplete || this.#told.listed === 0));
    this.#refreshing = refreshed.catch(() => undefined);
    return refreshed;
  }

  async #refresh(anew: boolean): Promise<readonly TicketId[]> {
    const { tickets, position } = await this.#ask(anew ? 0 : this.#told.listed);
    if (position < this.#told.listed) {
      return this.#refresh(true); // another database than before: what it lists is not whole
    }
    await this.#lifecycles.learn(tickets.map((each) => String(each["lifecycle"])));
    const found = new Map(tickets.map((each) => [faceOf(each).id, each]));
    const lost = anew ? [...this.#listed.keys()].filter((id) => !found.has(id)) : [];
    const wasComplete = this.isComplete;
    const heard = anew ? position : Math.max(this.#told.heard, 0);
    this.#told = { listed: position, heard, asOf: Date.now() };
    await this.#database.write([
      ...[...found].map(([id, each]): Change => ({ in: "rows", put: { ...each, id } })),
      ...lost.map((id): Change => ({ in: "rows", remove: id })),
      { in: "meta", put: { key: LISTED, value: this.#told } },
    ]);
    for (const [id, each] of found) {
      this.#listed.set(id, faceOf(each));
    }
    for (const id of lost) {
      this.#listed.delete(id);
    }
    if (found.size + lost.length > 0 || !wasComplete) {
      this.#changed([...found.keys(), ...lost]); // else whoever looks at thousands of rows need not look again
    }
    return lost;
  }

  async #ask(after: number): Promise<Page> {
    const tickets: Readonly<Record<string, unknown>>[] = [];
    let position: number | null = null;
    let next: string | null = null;
    do {
      const cursor: string = next === null ? "" : `&cursor=${next}`;
      const page: Page = await this.#api.json<Page>(`/api/tickets?limit=${PAGE}&changed_after=${after}${cursor}`);
      tickets.push(...page.tickets);
      position ??= page.position;
      next = page.next;
    } while (next !== null);
    return { tickets, next, position };
  }

  #changed(ids: readonly TicketId[]): void {
    for (const id of ids) {
      this.#rows.delete(id);
    }
    this.list.touch();
  }

  #row(id: TicketId, face: Face): TicketRow {
    const lifecycle = this.#lifecycles.get(face.lifecycle) ?? undefined;
    const row = this.#rows.get(id) ?? rowOf(face, lifecycle, this.#person(), { ...NO_MARKS, unread: this.unread(id) });
    this.#rows.set(id, row);
    return row;
  }

  #work(): TicketList {
    const rows = new Map([...this.#listed].map(([id, face]) => [id, this.#row(id, face)]));
    for (const [id, row] of this.#own) {
      rows.set(id, row);
    }
    return { rows: [...rows.values()].sort(byChange), isComplete: this.isComplete };
  }
}
