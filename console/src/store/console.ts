/** A person's console in one page: puts the parts together. Views call `createConsole`, and otherwise read `types.ts`. */

import type { LaneId, TransitionId } from "../lifecycle/ids.ts";
import type { Lifecycle } from "../lifecycle/model.ts";
import { make, OPENING_NAME } from "../lifecycle/transition.ts";
import { freshId } from "../recovery/outbox.ts";
import { documentName } from "./access.ts";
import { Api, askToken } from "./api.ts";
import { Collab } from "./collab.ts";
import { Database, databaseName } from "./database.ts";
import { type Desk, SIGNED_OUT, type TabMessage } from "./desk.ts";
import { type DomainEvent, Events } from "./events.ts";
import { checkCard } from "./fields.ts";
import { endLeft } from "./leaving.ts";
import { Lifecycles } from "./lifecycles.ts";
import { Cell, type Derived } from "./observable.ts";
import { OpenTickets } from "./open_tickets.ts";
import { faceOf, NO_MARKS, rowOf } from "./rows.ts";
import { type AskToken, type Memory, SessionKeeper } from "./session.ts";
import { Tickets } from "./tickets.ts";
import {
  type Colleague,
  type Connection,
  type Console,
  type OpenTicket,
  type Person,
  type Reply,
  type Saved,
  type Scalar,
  StoreError,
  type TicketId,
  type TicketRow,
  type Writing,
} from "./types.ts";

const RELIST_MS = 100; // events come in bursts, and one question answers for all of them
const CARD_MS = 1_000; // the title of a new ticket comes after its opening, and no event tells of it
const TOKEN_MS = 1_000; // between two tokens that were refused

/** Where the service is, and how it is asked for a token; the page's own origin and its cookie if nothing is said. */
export interface Options {
  readonly origin?: string;
  readonly memory?: Memory;
  readonly askToken?: AskToken;
}

/** Return the console of whoever is signed in, or was when this browser was last offline; null if nobody is. */
export async function createConsole(options: Options = {}): Promise<Console | null> {
  const { origin = location.origin, memory = localStorage } = options;
  const endSession = (): Promise<void> => endLeft(origin, memory);
  const session = new SessionKeeper(options.askToken ?? (() => endSession().then(() => askToken(origin))), memory);
  if (session.person === null) {
    await session.token().catch(() => undefined); // the session says what came of it
  }
  const { person } = session;
  if (person === null) {
    return null;
  }
  const made = new PersonConsole(
    { origin, endSession },
    session,
    await Database.open(databaseName(origin, person)),
    person,
  );
  await made.start();
  return made;
}

/** The service as a console needs it: where it is, and how it hears of a sign-out. */
interface Service {
  readonly origin: string;
  endSession(): Promise<void>;
}

class PersonConsole implements Console {
  readonly session: SessionKeeper["session"];
  readonly tokens: SessionKeeper;
  readonly connection = new Cell<Connection>({ status: "offline", problem: null });
  readonly saved: Derived<Saved>;
  readonly tickets: Tickets["list"];
  readonly lifecycles: Lifecycles["all"];
  readonly defaultLifecycle: Lifecycles["default"];
  readonly #first: Person;
  readonly #endSession: Service["endSession"];
  readonly #desk: Desk;
  readonly #events: Events;
  readonly #tabs: BroadcastChannel;
  readonly #open: OpenTickets;
  #relisting: { anew: boolean } | null = null;
  #isRenewing = false;
  #closing: Promise<void> | null = null;

  constructor({ origin, endSession }: Service, keeper: SessionKeeper, database: Database, person: Person) {
    this.tokens = keeper;
    this.#endSession = endSession;
    this.#first = person;
    const sockets = origin.replace(/^http/, "ws");
    const token = (): Promise<string> => keeper.token();
    const api = new Api(origin, keeper);
    const lifecycles = new Lifecycles(database, api);
    const tickets = new Tickets(database, api, lifecycles, () => this.#person);
    const collab = new Collab(`${sockets}/collab`, token, (code, reason) => this.#socketClosed(code, reason));
    this.#tabs = new BroadcastChannel(database.name);
    this.#tabs.onmessage = ({ data }: MessageEvent<TabMessage | typeof SIGNED_OUT>) =>
      data === SIGNED_OUT ? keeper.end() : void this.#open.told(data);
    this.#desk = {
      database,
      collab,
      api,
      lifecycles,
      tickets,
      person: () => this.#person,
      changed: (ticket) => this.#open.changed(ticket),
      tell: (message) => this.#tabs.postMessage(message),
      relist: (anew) => this.#relist(anew),
      tokenRefused: () => void this.#tokenRefused(),
      until: (holds) => this.#open.until(holds),
    };
    this.#open = new OpenTickets(this.#desk);
    this.#events = new Events({
      url: `${sockets}/events`,
      token,
      begin: () => this.#begin(),
      heard: (position, event) => this.#heard(position, event),
      state: (status) => {
        if (this.connection.snapshot().status !== status) {
          this.connection.set({ status, problem: null });
        }
      },
      refused: (code, message) => this.#stop(code, message),
      tokenRefused: () => keeper.refused(),
      unknownPosition: () => tickets.distrust(),
    });
    this.session = keeper.session;
    this.tickets = tickets.list;
    this.lifecycles = lifecycles.all;
    this.defaultLifecycle = lifecycles.default;
    this.saved = this.#open.saved;
  }

  /** Read what is kept here, take up what was not finished, and go on in the background. */
  async start(): Promise<void> {
    await this.#desk.lifecycles.load();
    await this.#desk.tickets.load();
    await this.#open.load();
    this.session.subscribe(() => this.#allow());
    this.#allow();
  }

  async made(ticket: TicketId): Promise<ReadonlySet<TransitionId>> {
    return new Set((await this.#desk.database.of("entries", ticket)).map(({ id }) => id as TransitionId));
  }

  open(id: string): OpenTicket {
    return this.#open.open(id as TicketId);
  }

  async create(title: string, fields: Readonly<Record<string, Scalar>> = {}): Promise<TicketId> {
    const lifecycle = this.defaultLifecycle.snapshot();
    if (lifecycle === null) {
      throw new StoreError("lifecycle_unknown", "The service was never reached from here.");
    }
    const card = { ...fields, title };
    checkCard(card);
    const made = opening(lifecycle, this.#person);
    const ticket = this.#open.add(made.id);
    await ticket.load({
      id: made.id,
      lifecycle: lifecycle.digest,
      isListed: false,
      generations: {},
      usedAt: Date.now(),
    });
    await ticket.folder.write(
      [{ ticket: made.id, root: "transitions", record: made.record, id: made.id }],
      [{ id: freshId(), ticket: made.id, document: documentName(made.id, "card"), root: "card", values: card }],
    );
    return made.id;
  }

  async replies(ticket?: string): Promise<readonly Reply[]> {
    const path = `/api/replies${ticket === undefined ? "" : `?ticket=${ticket}`}`;
    return (await this.#desk.api.json<{ readonly replies: readonly Reply[] }>(path)).replies;
  }

  async colleagues(): Promise<readonly Colleague[]> {
    return (await this.#desk.api.json<{ readonly people: readonly Colleague[] }>("/api/people")).people;
  }

  async writing(ticket: string): Promise<Writing | null> {
    const path = `/api/tickets/${ticket}/writing`;
    return (await this.#desk.api.json<{ readonly writing: Writing | null }>(path)).writing;
  }

  async past(ticket: string): Promise<readonly TicketRow[]> {
    type Past = { readonly tickets: readonly Readonly<Record<string, unknown>>[] };
    const { tickets } = await this.#desk.api.json<Past>(`/api/tickets/${ticket}/customer`);
    return tickets.map(faceOf).map((face) => {
      const lifecycle = this.#desk.lifecycles.get(face.lifecycle) ?? undefined;
      return rowOf(face, lifecycle, this.#person, NO_MARKS);
    });
  }

  async link(ticket: string, other: string): Promise<void> {
    await this.#desk.api.json(`/api/tickets/${ticket}/customer`, { method: "POST", body: { ticket: other } });
  }

  async markDuplicate(ticket: string, of: string): Promise<void> {
    await this.#desk.api.json(`/api/tickets/${ticket}/duplicate`, { method: "POST", body: { of } });
    this.#relist(false);
  }

  async clearDuplicate(ticket: string): Promise<void> {
    await this.#desk.api.json(`/api/tickets/${ticket}/duplicate`, { method: "DELETE" });
    this.#relist(false);
  }

  async signedIn(): Promise<void> {
    await this.tokens.token();
    this.#allow();
  }

  lookAgain(): void {
    this.tokens.lookAgain();
  }

  networkChanged(): void {
    this.#desk.collab.renew();
    this.#events.renew();
  }

  async signOut({ forget }: { readonly forget: boolean }): Promise<void> {
    this.tokens.signOut();
    this.#tabs.postMessage(SIGNED_OUT);
    this.#endSession().catch(() => undefined); // it is kept, and the service is told before it is asked anything
    await this.close();
    if (forget) {
      const { name } = this.#desk.database;
      const kept = (await indexedDB.databases()).flatMap((one) => one.name ?? []);
      const own = kept.filter((one) => one === name || one.startsWith(`${name} ticket/`));
      await Promise.all(own.map((one) => Database.remove(one)));
    }
    this.tokens.end();
  }

  async dropped(): Promise<readonly string[]> {
    return (await this.#desk.database.all("dropped")).map(({ text }) => text);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#events.allow(false);
    this.#desk.collab.close();
    this.#tabs.close();
    await this.#open.close();
    this.#desk.database.close();
  }

  get #person(): Person {
    return this.tokens.person ?? this.#first;
  }

  /** Who must sign in first is not asked for a token again and again; who has left leaves nothing open. */
  #allow(): void {
    const { status } = this.session.snapshot();
    if (status === "signed_out" || status === "changed") {
      void this.close();
      return;
    }
    const isAllowed = this.#closing === null && status === "signed_in";
    this.#desk.collab.allow(isAllowed);
    this.#events.allow(isAllowed);
  }

  #stop(code: string, message: string): void {
    this.#desk.collab.allow(false);
    this.#events.allow(false);
    this.connection.set({ status: "stopped", problem: { code, message } });
  }

  #socketClosed(code: number, reason: string): void {
    if (code === 4401 || code === 4501) {
      void this.#tokenRefused();
    } else if (code === 4504) {
      this.#relist(true);
    } else if (code === 4403) {
      const [told = "", ...message] = reason.split(": ");
      this.#stop(told, message.join(": "));
    }
  }

  async #tokenRefused(): Promise<void> {
    if (this.#isRenewing) {
      return;
    }
    this.#isRenewing = true;
    this.tokens.refused();
    await this.tokens.token().then(
      () => this.#desk.collab.renew(),
      () => undefined, // the session says that somebody must sign in, or the service is away
    );
    setTimeout(() => {
      this.#isRenewing = false;
    }, TOKEN_MS);
  }

  /** Before events are followed, the list is brought up to where they begin. */
  async #begin(): Promise<number> {
    const { lifecycles, tickets } = this.#desk;
    await lifecycles.learnDefault();
    await tickets.refresh();
    await this.#open.listed();
    void this.#open.keepOwn();
    return tickets.heard;
  }

  #heard(position: number, event: DomainEvent | null): void {
    const { tickets } = this.#desk;
    if (event?.type === "ticketsync.ticket.message.v1" && event.data["kind"] === "customer") {
      void tickets.count(event.subject as TicketId, 1);
    }
    if (event?.type === "ticketsync.ticket.opened.v1") {
      setTimeout(() => this.#relist(false), CARD_MS);
    }
    void tickets.handled(position);
    if (event !== null || position > tickets.listedTo) {
      this.#relist(false);
    }
  }

  #relist(anew: boolean): void {
    if (this.#relisting !== null) {
      this.#relisting.anew ||= anew;
      return;
    }
    const relisting = { anew };
    this.#relisting = relisting;
    setTimeout(() => {
      this.#relisting = null;
      this.#desk.tickets
        .refresh(relisting.anew)
        .then(() => this.#open.listed())
        .catch(() => undefined); // the service is away; when it is back it is asked again
    }, RELIST_MS);
  }
}

function opening(lifecycle: Lifecycle, { actor, department, roles }: Person): ReturnType<typeof make> {
  const takesPart = [...lifecycle.lanes.values()].some(({ owner }) => owner === department);
  if (!takesPart || !roles.some((role) => lifecycle.openBy.includes(role))) {
    throw new StoreError("open_by", `Opening takes one of the roles ${lifecycle.openBy.join(", ")}.`);
  }
  return make({
    ticket: null,
    lane: lifecycle.control.id as LaneId,
    name: OPENING_NAME,
    actor,
    roles: roles.filter((role) => lifecycle.openBy.includes(role)),
    after: [],
    lifecycle: lifecycle.digest,
    payload: null,
    at: Date.now(),
    subject: freshId(),
  });
}
