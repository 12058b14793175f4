/** The service's `/api/session`: which ways of signing in there are, and going one of them. The cookie is the browser's. */

import type { Language } from "../../lifecycle/model.ts";
import { endLeft } from "../../store/leaving.ts";
import type { Person } from "../../store/types.ts";
import { StoreError } from "../../store/types.ts";

export interface Developer {
  readonly name: string;
  readonly department: string;
  readonly role: string; // the department's own name for a plain member
  readonly labels: Readonly<Record<string, Partial<Record<Language, string>>>>; // of the two
}

/** Somebody else who says who a person is; `url` is where its sign-in begins. */
export interface Provider {
  readonly name: string;
  readonly label: Partial<Record<Language, string>>;
  readonly url: string;
}

export interface Ways {
  readonly password: boolean;
  readonly development: readonly Developer[];
  readonly providers: readonly Provider[];
}

/** Who the cookie is, null for nobody, and which ways there are. */
export interface Offered {
  readonly session: Person | null;
  readonly ways: Ways;
}

export function offered(): Promise<Offered> {
  return ask<Offered>("GET");
}

export function signInWithPassword(name: string, password: string): Promise<Person> {
  return ask<Person>("POST", { name, password });
}

export function signInAsDeveloper(development: string): Promise<Person> {
  return ask<Person>("POST", { development });
}

/** The address at which a provider's sign-in begins; it comes back to the page that is open. */
export function providerPath({ url }: Provider): string {
  return `${url}?next=${encodeURIComponent(location.pathname)}`;
}

// Read before the page goes to another address. A code alone: anybody can write what he likes into a link.
let refused = /[?&]refused=([a-z_]{1,40})(?:&|$)/.exec(location.search)?.[1] ?? null;

/** Why a provider's sign-in came to nothing, as the service wrote it into the address; null once somebody signed in. */
export function refusedCode(): string | null {
  return refused;
}

async function ask<T>(method: "GET" | "POST", body?: unknown): Promise<T> {
  await endLeft(location.origin, localStorage); // whoever has signed out is not found signed in
  const headers = new Headers({ accept: "application/json" });
  if (body !== undefined) {
    headers.set("content-type", "application/json");
  }
  const answer = await fetch("/api/session", {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (!answer.ok) {
    const { code, detail } = (await answer.json()) as { readonly code: string; readonly detail: string };
    throw new StoreError(code, detail);
  }
  if (method === "POST") {
    refused = null;
  }
  return (await answer.json()) as T;
}
