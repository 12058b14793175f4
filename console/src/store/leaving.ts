/**
 * Signing out where the service may be away.
 *
 * Only the service can end a session, whose cookie no script can touch. So the browser keeps that somebody has signed
 * out until the service has heard it, and nothing is asked with that cookie before.
 */

import { good, reached } from "./api.ts";
import type { Memory } from "./session.ts";

const LEFT = "crdt-sync signed out";
const PATIENCE_MS = 5_000;

let ending: Promise<void> | null = null; // one at a time: a late answer would take the cookie of whoever is next

/** Keep that the session of the browser's cookie is over. */
export function leave(memory: Memory): void {
  memory.setItem(LEFT, "yes");
}

/**
 * End the session that somebody has signed out of, if the service has not heard of it yet.
 *
 * @throws StoreError `offline` while it cannot be told; the next one to ask tells it.
 */
export function endLeft(origin: string, memory: Memory): Promise<void> {
  if (memory.getItem(LEFT) === null) {
    return Promise.resolve();
  }
  ending ??= end(origin, memory).finally(() => {
    ending = null;
  });
  return ending;
}

async function end(origin: string, memory: Memory): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  await good(await reached(fetch(`${origin}/api/session`, { method: "DELETE", signal })));
  memory.removeItem(LEFT);
}
