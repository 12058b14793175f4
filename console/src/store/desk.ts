/** What every ticket of a console works with. */

import type { Api } from "./api.ts";
import type { Collab } from "./collab.ts";
import type { Database } from "./database.ts";
import type { Lifecycles } from "./lifecycles.ts";
import type { Ticket } from "./ticket.ts";
import type { Tickets } from "./tickets.ts";
import type { Person, TicketId } from "./types.ts";

/** What one tab tells the others of a ticket. */
export interface TabMessage {
  readonly ticket: TicketId;
  readonly wrote: string; // the name of a document
}

/** What it tells them when its person signs out: each of them leaves. */
export const SIGNED_OUT = "signed_out";

export interface Desk {
  readonly database: Database;
  readonly collab: Collab;
  readonly api: Api;
  readonly lifecycles: Lifecycles;
  readonly tickets: Tickets;
  person(): Person;
  /** Hear that something of a ticket has changed. */
  changed(ticket: Ticket): void;
  /** Tell the other tabs. */
  tell(message: TabMessage): void;
  /** Ask the service which tickets changed, or `anew` which there are at all. */
  relist(anew: boolean): void;
  /** Say that the service does not take the token. */
  tokenRefused(): void;
  /** Wait until something is so; it is asked again whenever anything has changed. */
  until(holds: () => boolean): Promise<void>;
}
