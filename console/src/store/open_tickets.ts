/** The tickets whose documents are open in this page: those that somebody looks at, and those with work to deliver. */

import type { Desk, TabMessage } from "./desk.ts";
import { Derived, remembered } from "./observable.ts";
import { Ticket } from "./ticket.ts";
import type { Saved, TicketId } from "./types.ts";

const IDLE_MAX = 10; // tickets that nobody looks at and that stay on the socket
const KEPT_MAX = 25; // own tickets that are made readable offline without having been opened

export class OpenTickets {
  readonly saved: Derived<Saved>;
  readonly #desk: Desk;
  readonly #open = new Map<TicketId, Ticket>(); // the one that was used last stands last
  readonly #changed = new Set<Ticket>();
  readonly #waiters = new Set<() => void>();
  #isClosed = false;

  constructor(desk: Desk) {
    this.#desk = desk;
    this.saved = new Derived(() => this.#work());
  }

  /** Take up what was not finished, and what somebody has to look after. */
  async load(): Promise<void> {
    const { database, tickets } = this.#desk;
    const unfinished = [
      ...(await database.all("dirty")),
      ...(await database.all("uploads")),
      ...(await database.all("edits")),
    ];
    const looked = tickets.everKnown.filter(({ isListed, hasRefused }) => !isListed || hasRefused);
    const ids = new Set([...unfinished.map(({ ticket }) => ticket), ...looked.map(({ id }) => id)]);
    await Promise.all([...ids].map((id) => this.add(id).load()));
  }

  /** Return a ticket, which its caller loads if it is new. */
  add(id: TicketId): Ticket {
    const ticket = this.#open.get(id) ?? new Ticket(id, this.#desk);
    this.#open.set(id, ticket);
    return ticket;
  }

  /** Open a ticket for a view. */
  open(id: TicketId): Ticket {
    const isNew = !this.#open.has(id);
    const ticket = this.add(id);
    this.#open.delete(id);
    this.#open.set(id, ticket);
    ticket.holders += 1;
    if (isNew) {
      void ticket.load();
    }
    return ticket;
  }

  /** Take in what the service lists now. */
  async listed(): Promise<void> {
    for (const ticket of [...this.#open.values()]) {
      await ticket.listed();
      void ticket.flush();
    }
  }

  /** Make own tickets readable offline, one after another. */
  async keepOwn(): Promise<void> {
    const { tickets } = this.#desk;
    const own = tickets.list.snapshot().rows.filter(({ id, isMine }) => isMine && tickets.known(id) === null);
    for (const { id } of own.slice(0, KEPT_MAX)) {
      const ticket = this.open(id);
      await this.until(() => ticket.isSynced);
      ticket.release();
    }
  }

  /** Take in what another tab has told. */
  async told({ ticket: id, wrote }: TabMessage): Promise<void> {
    const ticket = this.#open.get(id);
    if (ticket !== undefined) {
      await ticket.folder.refresh(wrote);
      return;
    }
    const known = this.#desk.tickets.face(id) === null ? await this.#desk.database.one("known", id) : undefined;
    if (known !== undefined) {
      await this.add(id).load(known); // another tab has opened it
    }
  }

  /** Hear that a ticket has changed; several changes of one moment are looked at once. */
  changed(ticket: Ticket): void {
    if (this.#changed.size === 0) {
      queueMicrotask(() => this.#look());
    }
    this.#changed.add(ticket);
  }

  /** Wait until something is so, or this is closed. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const waiter = (): void => {
        if (this.#isClosed || holds()) {
          this.#waiters.delete(waiter);
          resolve();
        }
      };
      this.#waiters.add(waiter);
      waiter();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await Promise.all([...this.#open.values()].map((ticket) => ticket.close()));
  }

  #look(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const ticket of changed) {
      if (this.#open.get(ticket.id) === ticket && !this.#isClosed) {
        const { row, status, refused } = ticket.view.snapshot();
        this.#desk.tickets.show(ticket.id, status === "ready" ? row : null);
        ticket.folder.noteRefused(refused.length > 0);
      }
    }
    this.#sweep();
    this.saved.touch();
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) {
      waiter();
    }
  }

  /** Close what nobody looks at and what has nothing to deliver, but for the last few. */
  #sweep(): void {
    const idle = [...this.#open.values()].filter((ticket) => ticket.isIdle);
    for (const ticket of idle.slice(0, Math.max(0, idle.length - IDLE_MAX))) {
      this.#open.delete(ticket.id);
      void ticket.close();
    }
  }

  #work(): Saved {
    const all = [...this.#open.values()].map((ticket) => ticket.view.snapshot().saved);
    const is = (here: Saved["here"]): boolean => all.some((saved) => saved.here === here);
    const stored = is("saving") ? "saving" : "saved";
    return this.#sum(
      is("failed") ? "failed" : stored,
      all.reduce((sum, { waiting }) => sum + waiting, 0),
      all.reduce((sum, { refused }) => sum + refused, 0),
    );
  }

  /** The same object as long as nothing of it changes. */
  readonly #sum = remembered(
    (here: Saved["here"], waiting: number, refused: number): Saved => ({ here, waiting, refused }),
  );
}
