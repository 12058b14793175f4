/**
 * Small things that a person's pages keep in this browser: filters with a name, drafts of answers.
 *
 * Keys begin with who it is, so that two people at one computer never meet, and go with `forget`. What does not parse is
 * as if nothing was there.
 */

import type { Person } from "../store/types.ts";

const PREFIX = "crdt-sync";

/** Read what is kept under a name. */
export function kept(person: Person, name: string): unknown {
  const text = localStorage.getItem(keyOf(person, name));
  if (text === null) {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Keep a value under a name; null keeps nothing. */
export function keep(person: Person, name: string, value: unknown): void {
  const key = keyOf(person, name);
  if (value === null) {
    localStorage.removeItem(key);
  } else {
    localStorage.setItem(key, JSON.stringify(value));
  }
}

/** Hear whenever another tab keeps something else under a name; answers with how to hear no more. */
export function hearKept(person: Person, name: string, changed: () => void): () => void {
  const hear = ({ key }: StorageEvent): void => {
    if (key === keyOf(person, name) || key === null) {
      changed();
    }
  };
  addEventListener("storage", hear);
  return () => removeEventListener("storage", hear);
}

/** Forget everything of a person. */
export function forget(person: Person): void {
  const own = Object.keys(localStorage).filter((key) => key.startsWith(keyOf(person, "")));
  for (const key of own) {
    localStorage.removeItem(key);
  }
}

function keyOf({ department, actor }: Person, name: string): string {
  return `${PREFIX}.${JSON.stringify([department, actor])}.${name}`;
}
