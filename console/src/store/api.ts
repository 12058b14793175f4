/** The service's HTTP interface, with the token of whoever is signed in. Every failure is a `StoreError`. */

import type { Token } from "./session.ts";
import { StoreError, type Tokens } from "./types.ts";

/** What to ask beside the path; `body` is sent as JSON, `content` as it is. */
export interface Asked {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly body?: unknown;
  readonly content?: Blob;
  readonly accept?: string;
}

export class Api {
  readonly #origin: string;
  readonly #session: Tokens;

  constructor(origin: string, session: Tokens) {
    this.#origin = origin;
    this.#session = session;
  }

  /** Ask, and read the answer as JSON. */
  async json<T>(path: string, asked: Asked = {}): Promise<T> {
    const answer = await this.ask(path, { accept: "application/json", ...asked });
    return (answer.status === 204 ? null : await answer.json()) as T;
  }

  /** Ask; a token that the service does not take is renewed once. */
  async ask(path: string, asked: Asked = {}): Promise<Response> {
    const answer = await this.#once(path, asked);
    if (answer.status !== 401) {
      return good(answer);
    }
    this.#session.refused();
    return good(await this.#once(path, asked));
  }

  async #once(path: string, { method = "GET", body, content, accept }: Asked): Promise<Response> {
    const headers = new Headers({ authorization: `Bearer ${await this.#session.token()}` });
    if (accept !== undefined) {
      headers.set("accept", accept);
    }
    if (body !== undefined) {
      headers.set("content-type", "application/json");
    }
    const sent = content ?? (body === undefined ? null : JSON.stringify(body));
    // The browser keeps nothing of its own: whoever uses it next could have it without a token.
    return reached(fetch(`${this.#origin}${path}`, { method, headers, body: sent, cache: "no-store" }));
  }
}

/** Ask for a token with the browser's cookie. */
export async function askToken(origin: string): Promise<Token | null> {
  const answer = await reached(fetch(`${origin}/api/session/token`, { method: "POST", credentials: "same-origin" }));
  return answer.status === 401 ? null : ((await (await good(answer)).json()) as Token);
}

/** Return the answer; a network that gives none is a `StoreError` like the others. */
export async function reached(asking: Promise<Response>): Promise<Response> {
  try {
    return await asking;
  } catch {
    throw new StoreError("offline", "The service does not answer.");
  }
}

/** Return an answer that is good, and throw any other. */
export async function good(answer: Response): Promise<Response> {
  if (answer.ok) {
    return answer;
  }
  if (answer.status >= 500 || answer.status === 429) {
    throw new StoreError("offline", `The service cannot answer now (${answer.status}).`);
  }
  const { code, detail } = (await answer.json().catch(() => ({}))) as { code?: unknown; detail?: unknown };
  throw new StoreError(String(code ?? answer.status), String(detail ?? answer.statusText));
}
