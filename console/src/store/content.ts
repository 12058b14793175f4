/**
 * What documents hold, read with checks: whatever somebody wrote, what is not of its type is absent, and nothing throws.
 */

import type * as Y from "yjs";

import { sha256Of } from "../lifecycle/canonical.ts";
import type { Digest } from "../lifecycle/ids.ts";
import { decode as decodeTransition, type Transition } from "../lifecycle/transition.ts";
import { decode as decodeMessage, type Message } from "./message.ts";
import { type Data, digestOf, unseal } from "./payload.ts";
import type { Media, Scalar } from "./types.ts";

const TEXT_CHARACTERS_MAX = 16_384; // above what the service takes anywhere but in notes and messages
const DECODED_MAX = 20_000; // what some hundred tickets hold
const FATES = ["sent", "delivered", "read", "failed"] as const;

/** What became of a part of an answer. */
export type Fate = (typeof FATES)[number];

/**
 * An entry of a `submit` document: its record, what it spells, and its name in `log`'s `refused`, which is a transition's
 * id or the SHA-256 of a message's bytes.
 */
export type Entry =
  | { readonly root: "transitions"; readonly id: string; readonly record: string; readonly made: Transition }
  | { readonly root: "messages"; readonly id: string; readonly record: string; readonly made: Message };

/** The texts of an array. */
export function texts(doc: Y.Doc, root: string): readonly string[] {
  return doc
    .getArray<unknown>(root)
    .toArray()
    .filter((value) => typeof value === "string");
}

/** The values of a map that a card or a form can hold; a text that is too long is cut. */
export function scalars(doc: Y.Doc, root: string): ReadonlyMap<string, Scalar> {
  return new Map(
    [...doc.getMap<unknown>(root)].flatMap(([key, value]) => (isScalar(value) ? [[key, cut(value)]] : [])),
  );
}

/** The texts of a map by key. */
export function textsByKey(doc: Y.Doc, root: string): ReadonlyMap<string, string> {
  return new Map(
    [...doc.getMap<unknown>(root)].flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}

/** The transitions of a log. */
export function transitionsOf(records: readonly string[]): readonly Transition[] {
  return records.flatMap((record) => transitionOf(record) ?? []);
}

/** The entries that decode. */
export function entriesOf(submit: Y.Doc): readonly Entry[] {
  const transitions = texts(submit, "transitions").flatMap((record): Entry[] => {
    const made = transitionOf(record);
    return made === null ? [] : [{ root: "transitions", id: made.id, record, made }];
  });
  const messages = texts(submit, "messages").flatMap((record): Entry[] => {
    const made = messageOf(record);
    return made === null ? [] : [{ root: "messages", id: messageKey(record), record, made }];
  });
  return [...transitions, ...messages];
}

/** The messages of a conversation. */
export function messagesOf(talk: Y.Doc): readonly Message[] {
  return texts(talk, "messages").flatMap((record) => messageOf(record) ?? []);
}

/** The name of a message's record in `log`'s `refused`. */
export function messageKey(record: string): string {
  return sha256Of(new TextEncoder().encode(record));
}

/** What became of the parts of answers, by message and part. */
export function fatesOf(talk: Y.Doc): ReadonlyMap<string, Fate> {
  const told = textsByKey(talk, "delivery");
  return new Map([...told].flatMap(([key, state]) => (isFate(state) ? [[key, state] as const] : [])));
}

/** The contents of parts, or why there are none, by message and part. */
export function mediaOf(talk: Y.Doc): ReadonlyMap<string, Media> {
  return new Map([...textsByKey(talk, "media")].flatMap(([key, spelt]) => asMedia(key, spelt)));
}

/** What transitions carried, by digest; a text under another digest than its own is absent. */
export function payloadsOf(form: Y.Doc): ReadonlyMap<Digest, Data> {
  return new Map(
    [...textsByKey(form, "payloads")].flatMap(([digest, text]) => {
      const data = unseal(text);
      return data === null || digestOf(text) !== digest ? [] : [[digest as Digest, data] as const];
    }),
  );
}

const transitionOf = cached((record): Transition | null => {
  const made = decodeTransition(new TextEncoder().encode(record));
  return typeof made === "string" ? null : made;
});

const messageOf = cached(decodeMessage);

/** What a record spells never changes, and to decode it costs a hash. */
function cached<T>(decode: (record: string) => T): (record: string) => T {
  const known = new Map<string, T>();
  return (record) => {
    const found = known.get(record) ?? decode(record);
    if (known.size >= DECODED_MAX) {
      known.clear();
    }
    known.set(record, found);
    return found;
  };
}

function asMedia(key: string, spelt: string): (readonly [string, Media])[] {
  try {
    const { code, digest, size, type } = JSON.parse(spelt) as Record<string, unknown>;
    if (typeof code === "string") {
      return [[key, { code }]];
    }
    const isContent = typeof digest === "string" && typeof size === "number" && typeof type === "string";
    return isContent ? [[key, { digest: digest as Digest, size, type }]] : [];
  } catch {
    return [];
  }
}

function isFate(state: string): state is Fate {
  return FATES.some((known) => known === state);
}

function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function cut(value: Scalar): Scalar {
  return typeof value === "string" ? value.slice(0, TEXT_CHARACTERS_MAX) : value;
}
