/** Follows `/events` from the last position, for as long as it is allowed; knows no event's meaning. */

import { StoreError } from "./types.ts";

const DELAY_MS = 500;
const DELAY_MS_MAX = 5_000;
const TOKEN_CODES = [4401, 4501];
const FORBIDDEN = 4403;

/** A domain event; `subject` is the ticket. */
export interface DomainEvent {
  readonly type: string;
  readonly subject: string;
  readonly position: number;
  readonly time: string; // RFC 3339
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a follower asks and tells. */
export interface Following {
  readonly url: string; // ws://…/events
  token(): Promise<string>;
  /** Up to where everything was handled; whatever else it must do first it does here. */
  begin(): Promise<number>;
  /** Handle what has come, which may be nothing but the position. */
  heard(position: number, event: DomainEvent | null): void;
  state(state: "connecting" | "online" | "offline"): void;
  /** The service will not have this page; following has ended. */
  refused(code: string, message: string): void;
  /** The service does not take the token. */
  tokenRefused(): void;
  /** The service has not reached the position: it is another one, or was restored. */
  unknownPosition(): void;
}

export class Events {
  readonly #following: Following;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delay = DELAY_MS;
  #isAllowed = false;

  constructor(following: Following) {
    this.#following = following;
  }

  /** Follow, or stop; where it already waits to come again, it comes at once. */
  allow(isAllowed: boolean): void {
    this.#isAllowed = isAllowed;
    clearTimeout(this.#timer);
    this.#delay = DELAY_MS;
    if (!isAllowed) {
      this.#socket?.close();
      this.#following.state("offline");
    } else if (this.#socket === null) {
      void this.#connect();
    }
  }

  /** Follow on a new connection, at once: the one before may be silent for long. */
  renew(): void {
    if (this.#isAllowed) {
      this.#socket?.close();
      this.#socket = null;
      this.allow(true);
    }
  }

  async #connect(): Promise<void> {
    this.#following.state("connecting");
    let url: string;
    try {
      const after = await this.#following.begin();
      url = `${this.#following.url}?after=${after}&token=${encodeURIComponent(await this.#following.token())}`;
    } catch (error) {
      this.#following.state("offline");
      // Who must sign in first comes again when that is done.
      if (!(error instanceof StoreError) || error.code !== "signed_out") {
        this.#later();
      }
      return;
    }
    if (!this.#isAllowed || this.#socket !== null) {
      return;
    }
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#socket === socket && this.#heard(String(data));
    socket.onclose = ({ code, reason }) => this.#socket === socket && this.#closed(code, reason);
  }

  #heard(text: string): void {
    const told = JSON.parse(text) as Partial<Omit<DomainEvent, "position">> & { readonly position: string };
    const position = Number(told.position);
    const { type, subject, time = "", data = {} } = told;
    this.#delay = DELAY_MS;
    this.#following.state("online");
    this.#following.heard(
      position,
      type === undefined || subject === undefined ? null : { type, subject, position, time, data },
    );
  }

  #closed(code: number, reason: string): void {
    this.#socket = null;
    this.#following.state("offline");
    if (!this.#isAllowed) {
      return;
    }
    const [told = "", ...message] = reason.split(": ");
    if (TOKEN_CODES.includes(code)) {
      this.#following.tokenRefused();
    } else if (told === "position_unknown") {
      this.#following.unknownPosition();
    } else if (code === FORBIDDEN) {
      this.#following.refused(told, message.join(": "));
      return;
    }
    this.#later();
  }

  #later(): void {
    clearTimeout(this.#timer);
    // Not all consoles of an office come back at the same moment.
    this.#timer = setTimeout(() => void this.#connect(), this.#delay * (0.5 + Math.random() / 2));
    this.#delay = Math.min(this.#delay * 2, DELAY_MS_MAX);
  }
}
