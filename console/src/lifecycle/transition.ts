/**
 * The record of one transition: its canonical bytes, its id, and a decoder that accepts nothing else.
 *
 * It never asks what a transition means: whether a lane exists, who may act and what wins is the fold's.
 */

import { base32Id, type Json, write } from "./canonical.ts";
import { DIGEST_PATTERN, type Digest, ID_PATTERN, type LaneId, type TransitionId } from "./ids.ts";

const RECORD_BYTES_MAX = 4096; // 32 parents of 52 characters and 16 short roles fit twice
export const AFTER_MAX = 32;
const ROLES_MAX = 16;
export const OPENING_NAME = "open";

const VERSION = 1;
const ID_PREFIX = new TextEncoder().encode("ticket-transition/1\n");
const MOVE_KEYS = ["v", "ticket", "lane", "name", "actor", "roles", "after", "lifecycle", "payload", "at"];
const OPENING_KEYS = [...MOVE_KEYS, "subject"];
const PRINTABLE = /^[ -~]{1,128}$/;
const SUBJECT = /^[ -~]{1,512}$/;

/** Why bytes are no record. */
export type Undecodable = "size" | "malformed";

/** What a record says, as its JSON names it; `at` (ms) is for display only and decides nothing. */
export interface Fields {
  readonly ticket: TransitionId | null;
  readonly lane: LaneId;
  readonly name: string;
  readonly actor: string;
  readonly roles: readonly string[];
  readonly after: readonly TransitionId[];
  readonly lifecycle: Digest;
  readonly payload: Digest | null;
  readonly at: number;
  readonly subject?: string;
}

/** One decoded transition; `record` is its canonical JSON. */
export interface Transition extends Fields {
  readonly id: TransitionId;
  readonly record: string;
}

/** Tell whether a transition opens a ticket, whose id is then the transition's own. */
export function isOpening(transition: Transition): boolean {
  return transition.after.length === 0;
}

/** Return the transition that `data` spells, or why it spells none; whatever the bytes, it never throws. */
export function decode(data: Uint8Array): Transition | Undecodable {
  if (data.length > RECORD_BYTES_MAX) {
    return "size";
  }
  let record: string;
  let value: unknown;
  try {
    record = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    value = JSON.parse(record);
  } catch {
    return "malformed";
  }
  // UTF-8 that decodes is the only spelling of its text, so comparing texts compares bytes.
  if (!isRecord(value) || write(value) !== record) {
    return "malformed";
  }
  return { ...value, id: base32Id(ID_PREFIX, data) as TransitionId, record };
}

/**
 * Return the transition with these fields; `roles` and `after` may come in any order.
 *
 * @throws RangeError if a field is out of its bounds, so that nobody could decode the result.
 */
export function make(fields: Fields): Transition {
  const { ticket, lane, name, actor, lifecycle, payload, at, subject } = fields;
  const [roles, after] = [fields.roles.toSorted(), fields.after.toSorted()];
  const record = { v: VERSION, ticket, lane, name, actor, roles, after, lifecycle, payload, at };
  const made = decode(new TextEncoder().encode(write(subject === undefined ? record : { ...record, subject })));
  if (typeof made === "string") {
    throw new RangeError(`A transition with these fields cannot be recorded (${made}).`);
  }
  return made;
}

type Value = Fields & { readonly v: number } & { readonly [key: string]: Json };

function isRecord(value: unknown): value is Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return false;
  }
  const fields = value as Record<string, unknown>;
  return (
    (isOpeningShape(fields) || isMoveShape(fields)) &&
    fields["v"] === VERSION &&
    fits(PRINTABLE, fields["lane"]) &&
    fits(PRINTABLE, fields["name"]) &&
    fits(PRINTABLE, fields["actor"]) &&
    isAscending(fields["roles"], PRINTABLE, ROLES_MAX) &&
    fits(DIGEST_PATTERN, fields["lifecycle"]) &&
    (fields["payload"] === null || fits(DIGEST_PATTERN, fields["payload"])) &&
    Number.isSafeInteger(fields["at"]) &&
    (fields["at"] as number) >= 0
  );
}

function isOpeningShape(fields: Record<string, unknown>): boolean {
  return (
    hasExactly(OPENING_KEYS, fields) &&
    fields["ticket"] === null &&
    fields["name"] === OPENING_NAME &&
    Array.isArray(fields["after"]) &&
    fields["after"].length === 0 &&
    fits(SUBJECT, fields["subject"])
  );
}

function isMoveShape(fields: Record<string, unknown>): boolean {
  return (
    hasExactly(MOVE_KEYS, fields) &&
    fits(ID_PATTERN, fields["ticket"]) &&
    fields["name"] !== OPENING_NAME &&
    isAscending(fields["after"], ID_PATTERN, AFTER_MAX)
  );
}

function hasExactly(keys: readonly string[], fields: Record<string, unknown>): boolean {
  return Object.keys(fields).length === keys.length && keys.every((key) => Object.hasOwn(fields, key));
}

function isAscending(values: unknown, pattern: RegExp, countMax: number): boolean {
  return (
    Array.isArray(values) &&
    values.length >= 1 &&
    values.length <= countMax &&
    values.every((value, index) => fits(pattern, value) && (index === 0 || values[index - 1] < value))
  );
}

function fits(pattern: RegExp, value: unknown): boolean {
  return typeof value === "string" && pattern.test(value);
}
