/** A person's board in one page: the feed with its socket and its place in this browser, and what the service says of itself. */

import { Api } from "../store/api.ts";
import { Database, databaseName } from "../store/database.ts";
import { Events } from "../store/events.ts";
import { Cell } from "../store/observable.ts";
import type { Person, Problem, Readable, Tokens } from "../store/types.ts";
import { Feed, type Picture } from "./feed.ts";
import type { Ledger } from "./ledger.ts";

const KEY = "board"; // in the person's own database, with which it goes
const ASK_MS = 15_000; // how old what is shown of the service may be

/** How the service is reached. */
export interface Link {
  readonly status: "connecting" | "online" | "offline" | "stopped";
  readonly problem: Problem | null;
}

/** What `GET /api/service` says: of people, those of the own department. */
export interface Service {
  readonly ready: boolean;
  readonly problem: { readonly code: string; readonly detail: string } | null;
  readonly people: readonly { readonly actor: string; readonly wires: Readonly<Record<string, number>> }[];
  readonly count: number;
}

/** What the page shows. `service` is null while it does not answer. */
export interface Board {
  readonly picture: Readable<Picture>;
  readonly link: Readable<Link>;
  readonly service: Readable<Service | null>;
  /** Go on, after somebody has signed in again. */
  allow(): void;
  close(): void;
}

/** Open the board of a person, with their tokens; its days are those of `zone`. */
export function openBoard(person: Person, tokens: Tokens, zone: string): Board {
  const { origin } = location;
  const api = new Api(origin, tokens);
  const link = new Cell<Link>({ status: "connecting", problem: null });
  const service = new Cell<Service | null>(null);
  const database = Database.open(databaseName(origin, person));
  const feed = new Feed(zone, shelfIn(database), () => {
    events.allow(false);
    events.allow(true);
  });
  const events = new Events({
    url: `${origin.replace(/^http/, "ws")}/events`,
    token: () => tokens.token(),
    begin: () => feed.begin(),
    heard: (position, event) => feed.heard(position, event),
    state: (status) => link.set({ status, problem: null }),
    refused: (code, message) => link.set({ status: "stopped", problem: { code, message } }),
    tokenRefused: () => tokens.refused(),
    unknownPosition: () => feed.anew(),
  });
  const ask = (): void => {
    api.json<Service>("/api/service").then(
      (told) => service.set(told),
      () => service.set(null), // it is away, or somebody must sign in first, which the page says
    );
  };
  const timer = setInterval(ask, ASK_MS);
  const keep = (): void => {
    if (document.visibilityState === "hidden") {
      void feed.keep(); // the browser may end a page that nobody sees
    }
  };
  document.addEventListener("visibilitychange", keep);
  ask();
  events.allow(true);
  return {
    picture: feed.picture,
    link,
    service,
    allow: () => {
      ask();
      events.allow(true);
    },
    close: () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", keep);
      events.allow(false);
      feed
        .close()
        .then(() => database)
        .then((opened) => opened.close(), reportError);
    },
  };
}

function shelfIn(database: Promise<Database>): {
  read(): Promise<Ledger | undefined>;
  write(ledger: Ledger): Promise<void>;
} {
  return {
    read: async () => (await database).meta<Ledger>(KEY),
    write: async (ledger) => (await database).write([{ in: "meta", put: { key: KEY, value: ledger } }]),
  };
}
