/**
 * Who is signed in, and a token for whoever needs one.
 *
 * The token is kept in memory alone and comes from the service, which knows the browser by its cookie. Who it was is
 * remembered, so that a page starts offline.
 */

import { leave } from "./leaving.ts";
import { Cell } from "./observable.ts";
import { type Person, type Session, StoreError, type Tokens } from "./types.ts";

/** Under what it is remembered who works here. */
export const REMEMBERED = "crdt-sync person";
const AHEAD_MS = 30_000; // a token is renewed before the service asks for it

/** What `POST /api/session/token` answers; `expires_at` is RFC 3339, or milliseconds. */
export interface Token extends Person {
  readonly token: string;
  readonly expires_at: string | number;
}

/** Asks for a token: null if nobody is signed in. Rejects where the service does not answer. */
export type AskToken = () => Promise<Token | null>;

/** Where it is remembered who works here: `localStorage`. */
export type Memory = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class SessionKeeper implements Tokens {
  readonly session: Cell<Session>;
  readonly #ask: AskToken;
  readonly #memory: Memory;
  #token: { readonly text: string; readonly endsAt: number } | null = null;
  #asking: Promise<string> | null = null;
  #isOver = false; // nothing is written any more

  constructor(ask: AskToken, memory: Memory) {
    this.#ask = ask;
    this.#memory = memory;
    const person = remembered(memory);
    this.session = new Cell<Session>(person === null ? { status: "signed_out" } : { status: "signed_in", person });
  }

  /** Who works here, null if nobody does. */
  get person(): Person | null {
    const session = this.session.snapshot();
    return session.status === "signed_out" ? null : session.person;
  }

  /**
   * Return a token that is good for a while.
   *
   * @throws StoreError `signed_out` if somebody must sign in first, and `offline` where the service does not answer.
   */
  token(): Promise<string> {
    if (this.#token !== null && this.#token.endsAt - Date.now() > AHEAD_MS) {
      return Promise.resolve(this.#token.text);
    }
    this.#asking ??= this.#fresh().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** Say that the service did not take the token. */
  refused(): void {
    this.#token = null;
  }

  /** Forget who works here, and keep that they have left. `end` says so. */
  signOut(): void {
    leave(this.#memory);
    this.#memory.removeItem(REMEMBERED);
    this.#isOver = true;
    this.#token = null;
  }

  /** Give no token any more, and write nothing: nobody works here, or only another person (`changed`). */
  end(status: "signed_out" | "changed" = "signed_out"): void {
    const { person } = this;
    this.#isOver = true;
    this.#token = null;
    this.session.set(status === "signed_out" || person === null ? { status: "signed_out" } : { status, person });
  }

  /** Look again who works in this browser, as another tab may have changed it. */
  lookAgain(): void {
    const [known, now] = [this.person, remembered(this.#memory)];
    if (known !== null && (now === null || !isSame(known, now))) {
      this.end(now === null ? "signed_out" : "changed");
    }
  }

  async #fresh(): Promise<string> {
    const answer = this.#isOver ? null : await this.#ask();
    const known = this.person;
    if (this.#isOver) {
      throw signedOut();
    }
    if (answer === null) {
      this.#token = null;
      this.session.set(known === null ? { status: "signed_out" } : { status: "expired", person: known });
      throw signedOut();
    }
    const { actor, department, roles, token, expires_at: end } = answer;
    const isKnown = known !== null && isSame(known, answer) && String(known.roles) === String(roles);
    const person = isKnown ? known : { actor, department, roles };
    this.#memory.setItem(REMEMBERED, JSON.stringify(person));
    if (known !== null && !isSame(known, answer)) {
      this.end("changed"); // another person's token is for another console: what is here is not theirs
      throw signedOut();
    }
    this.#token = { text: token, endsAt: typeof end === "number" ? end : Date.parse(end) };
    const now = this.session.snapshot();
    if (now.status !== "signed_in" || now.person !== person) {
      this.session.set({ status: "signed_in", person });
    }
    return token;
  }
}

function signedOut(): StoreError {
  return new StoreError("signed_out", "Somebody must sign in first.");
}

function isSame(one: Person, other: Person): boolean {
  return one.actor === other.actor && one.department === other.department;
}

function remembered(memory: Memory): Person | null {
  try {
    const { actor, department, roles } = JSON.parse(memory.getItem(REMEMBERED) ?? "null") as Person;
    return typeof actor === "string" && typeof department === "string" && Array.isArray(roles)
      ? { actor, department, roles: roles.map(String) }
      : null;
  } catch {
    return null;
  }
}
