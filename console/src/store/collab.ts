/**
 * The one socket over which all documents are synced, and what the service has acknowledged of each.
 *
 * The provider counts what it sent, and loses count where edits were made offline, so this counts frames itself: every
 * Step2 and Update that leaves has one SyncStatus that comes back, in order. A document is settled when the service has
 * asked for what it lacks, was answered, and has acknowledged all that was sent.
 */

import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from "@hocuspocus/provider";
import { createDecoder, readVarString, readVarUint } from "lib0/decoding";
import type * as Y from "yjs";

import type { Problem } from "./types.ts";

const SYNC = 0;
const STEP1 = 0;
const STEP2 = 1;
const SYNC_STATUS = 8;
const DOCUMENT_CLOSED = 1000; // how the provider tells that the service has closed one document, and not the socket
const LEFT = 1005; // how a browser tells that a socket was closed without a code

/** What an attached document hears. */
export interface Hearing {
  /** The service has given what this copy lacked. */
  given(): void;
  /** The service has acknowledged all that this copy holds. */
  settled(): void;
  /** The service has closed the document on this socket, or will not open it. */
  closed(problem: Problem): void;
}

/** A document on the socket. */
export interface Attached {
  readonly provider: HocuspocusProvider;
  /** Whether the service has given what it lacked, on this connection. */
  isGiven(): boolean;
  /** Leave it; the document stays as it is. */
  detach(): void;
}

/** Hears of the socket: a code and a reason when it closed. */
export type OnClose = (code: number, reason: string) => void;

interface Standing {
  readonly hearing: Hearing;
  isGiven: boolean;
  isAnswered: boolean; // the service asked for what it lacks, and was answered
  isDeclined: boolean; // the service could not take something; it asks again
  owed: number; // acknowledgements that are to come
}

export class Collab {
  readonly #socket: HocuspocusProviderWebsocket;
  readonly #token: () => Promise<string>;
  readonly #standings = new Map<string, Standing>();
  #isAllowed = false;

  constructor(url: string, token: () => Promise<string>, onClose: OnClose) {
    this.#token = token;
    const said = (data: Uint8Array): void => this.#said(data);
    class Counted extends WebSocket {
      override send(data: Uint8Array<ArrayBuffer>): void {
        said(data);
        super.send(data);
      }
    }
    this.#socket = new HocuspocusProviderWebsocket({
      url,
      autoConnect: false,
      WebSocketPolyfill: Counted,
      delay: 500,
      minDelay: 500,
      maxDelay: 5_000,
      // What was queued offline stands in the documents, and goes out with the answer to the service's step 1.
      onOpen: () => {
        this.#socket["messageQueue"] = [];
        this.#restart(); // an attempt to connect may take the place of another one, which is closed in silence
      },
      onClose: ({ event }) => {
        this.#restart();
        onClose(event.code, event.reason);
      },
    });
    // Registered behind the provider's own, so that a document already has what a frame brought.
    this.#socket.on("message", ({ data }: { data: ArrayBuffer }) => this.#heard(new Uint8Array(data)));
  }

  /** Connect while there is a document to sync, or stay away. */
  allow(isAllowed: boolean): void {
    this.#isAllowed = isAllowed;
    this.#connect();
  }

  /** Begin a new connection: what was refused on the old one is asked for anew. */
  renew(): void {
    this.#leave();
    this.#connect();
  }

  /** Attach a document; with `shares` it tells others who is here. */
  attach(name: string, doc: Y.Doc, shares: boolean, hearing: Hearing): Attached {
    const standing: Standing = { hearing, isGiven: false, isAnswered: false, isDeclined: false, owed: 0 };
    this.#standings.set(name, standing);
    const provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name,
      document: doc,
      token: this.#token,
      ...(shares ? {} : { awareness: null }),
      onAuthenticationFailed: ({ reason }) => hearing.closed(problemOf(reason)),
      onClose: ({ event }) => {
        if (event.code === DOCUMENT_CLOSED) {
          hearing.closed(problemOf(event.reason));
        }
      },
    });
    provider.attach();
    this.#connect();
    return { provider, isGiven: () => standing.isGiven, detach: () => this.#detach(name, standing, provider) };
  }

  close(): void {
    this.#isAllowed = false;
    this.#socket.destroy();
  }

  #detach(name: string, standing: Standing, provider: HocuspocusProvider): void {
    if (this.#standings.get(name) === standing) {
      this.#standings.delete(name);
    }
    provider.destroy();
    this.#connect();
  }

  /** A socket that opens no document is closed by the service, which waits for a token. */
  #connect(): void {
    if (this.#isAllowed && this.#standings.size > 0) {
      if (this.#socket.status !== WebSocketStatus.Connecting) {
        void this.#socket.connect(); // which would begin an attempt anew that is under way
      }
    } else {
      this.#leave();
    }
  }

  /** What is closed from here is left at once: over a network that has gone, its closing would take a minute. */
  #leave(): void {
    this.#socket.disconnect();
    if (this.#socket.webSocket !== null) {
      this.#socket["emit"]("close", { event: { code: LEFT, reason: "" } });
    }
  }

  #restart(): void {
    for (const standing of this.#standings.values()) {
      Object.assign(standing, { isGiven: false, isAnswered: false, isDeclined: false, owed: 0 });
    }
  }

  #said(data: Uint8Array): void {
    const { standing, type, body } = this.#read(data);
    if (standing !== undefined && type === SYNC && body !== STEP1) {
      standing.owed += 1;
      if (body === STEP2) {
        Object.assign(standing, { isAnswered: true, isDeclined: false });
      }
    }
  }

  #heard(data: Uint8Array): void {
    const { standing, type, body } = this.#read(data);
    if (standing === undefined) {
      return;
    }
    if (type === SYNC && body === STEP2) {
      standing.isGiven = true;
      standing.hearing.given();
    } else if (type === SYNC_STATUS) {
      standing.owed -= 1;
      standing.isDeclined ||= body === 0;
      if (standing.isAnswered && !standing.isDeclined && standing.owed === 0) {
        standing.hearing.settled();
      }
    }
  }

  #read(data: Uint8Array): {
    readonly standing?: Standing | undefined;
    readonly type?: number;
    readonly body?: number;
  } {
    if (data.length < 2) {
      return {}; // a ping
    }
    const decoder = createDecoder(data);
    const standing = this.#standings.get(readVarString(decoder));
    const type = readVarUint(decoder);
    return { standing, type, ...(type === SYNC || type === SYNC_STATUS ? { body: readVarUint(decoder) } : {}) };
  }
}

/** The service says `code: message`. */
function problemOf(reason: string): Problem {
  const [code = "", ...message] = reason.split(": ");
  return { code, message: message.join(": ") };
}
