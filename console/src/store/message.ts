/**
 * The record of one chat message: its canonical bytes, its id, and a decoder that accepts nothing else.
 *
 * The same as `crdt_sync/domain/message.py`, which says what each field means.
 */

import { base32Id, type Json, write } from "../lifecycle/canonical.ts";
import { ID_PATTERN } from "../lifecycle/ids.ts";
import type { TicketId } from "./types.ts";

export const RECORD_BYTES_MAX = 65_536; // no platform lets a person write more than 20,000 characters at once
const PARTS_MAX = 32;
const KINDS = ["customer", "agent", "system", "delivery", "unknown"] as const;
const KEYS = ["v", "ticket", "kind", "author", "at", "parts", "salt", "origin"];
const ID_PREFIX = new TextEncoder().encode("ticket-message/1\n");
const AUTHOR = /^[ -~]{1,128}$/;
const SALT = /^[0-9a-f]{32}$/;
const DEGREES = /^-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,15})?$/;
const MEDIA = { ref: /^.{1,1024}$/su, name: /^.{0,256}$/su };

/** Each type of part, with the fields that it has beside `type`, all of them. */
const PARTS: ReadonlyMap<string, Readonly<Record<string, RegExp>>> = new Map<string, Readonly<Record<string, RegExp>>>([
  ["text", { text: /^.+$/su }],
  ["image", MEDIA],
  ["voice", MEDIA],
  ["video", MEDIA],
  ["file", MEDIA],
  ["location", { latitude: DEGREES, longitude: DEGREES, label: /^.{0,512}$/su }],
  ["event", { event: /^.{1,128}$/su }],
]);

/** A part as its record has it. */
export type Part = Readonly<Record<string, string>> & { readonly type: string };

interface Fields {
  readonly ticket: TicketId;
  readonly kind: (typeof KINDS)[number];
  readonly author: string;
  readonly at: number;
  readonly parts: readonly Part[];
  readonly salt: string;
  readonly origin: string | null;
}

/** One decoded message; `record` is its canonical JSON. */
export interface Message extends Fields {
  readonly id: string;
  readonly record: string;
}

/** Return the message that a record spells, null if it spells none; whatever the text, it never throws. */
export function decode(record: string): Message | null {
  const data = new TextEncoder().encode(record);
  if (data.length > RECORD_BYTES_MAX) {
    return null;
  }
  try {
    const value: unknown = JSON.parse(record);
    if (!isRecord(value) || write(value as unknown as Json) !== record) {
      return null;
    }
    return { ...value, id: value.origin ?? base32Id(ID_PREFIX, data), record };
  } catch {
    return null;
  }
}

/**
 * Return the message of an agent with these fields.
 *
 * @throws RangeError if a field is out of its bounds, so that nobody could decode the result.
 */
export function make(fields: Omit<Fields, "kind" | "origin">): Message {
  const { ticket, author, at, parts, salt } = fields;
  const made = decode(write({ v: 1, ticket, kind: "agent", author, at, parts, salt, origin: null }));
  if (made === null) {
    throw new RangeError("A message with these fields cannot be recorded.");
  }
  return made;
}

/** 32 random hexadecimal digits. */
export function salt(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isRecord(value: unknown): value is Fields & { readonly v: 1 } {
  if (!isTable(value) || Object.keys(value).length !== KEYS.length || !KEYS.every((key) => Object.hasOwn(value, key))) {
    return false;
  }
  const { v, ticket, kind, author, at, parts, salt: drawn, origin } = value;
  return (
    v === 1 &&
    fits(ID_PATTERN, ticket) &&
    KINDS.some((known) => known === kind) &&
    fits(AUTHOR, author) &&
    Number.isSafeInteger(at) &&
    (at as number) >= 0 &&
    Array.isArray(parts) &&
    parts.length >= 1 &&
    parts.length <= PARTS_MAX &&
    parts.every(isPart) &&
    fits(SALT, drawn) &&
    (origin === null || fits(ID_PATTERN, origin))
  );
}

function isPart(part: unknown): part is Part {
  const fields = isTable(part) && typeof part["type"] === "string" ? PARTS.get(part["type"]) : undefined;
  return (
    fields !== undefined &&
    isTable(part) &&
    Object.keys(part).length === Object.keys(fields).length + 1 &&
    Object.entries(fields).every(([name, pattern]) => fits(pattern, part[name]))
  );
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Half of a surrogate pair is no character in UTF-8, and so in no record. */
function fits(pattern: RegExp, value: unknown): boolean {
  return typeof value === "string" && pattern.test(value) && value.isWellFormed();
}
