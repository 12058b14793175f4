/**
 * What a transition carries beside itself, sealed so that its digest tells nothing.
 *
 * The same as `crdt_sync/domain/payload.py`.
 */

import { sha256Of, write } from "../lifecycle/canonical.ts";
import type { Digest } from "../lifecycle/ids.ts";
import type { PayloadType } from "../lifecycle/model.ts";
import { StoreError } from "./types.ts";

const BYTES_MAX = 65_536; // the same as a chat message: files are references, never contents
const NAME = /^[a-z][a-z0-9_]*$/;
const SALT = /^[0-9a-f]{32}$/;
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** The fields of a payload. */
export type Data = Readonly<Record<string, string | number>>;

const IS_OF_TYPE: Readonly<Record<PayloadType, (value: unknown) => boolean>> = {
  text: (value) => isText(value, 4_096),
  money: (value) => typeof value === "string" && /^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$/.test(value),
  integer: (value) => Number.isSafeInteger(value),
  date: isDate,
  file: (value) => isText(value, 1_024),
};

/**
 * Refuse data that does not have exactly the declared fields with values of their types.
 *
 * @throws StoreError with the code `payload`, naming the first field that is wrong.
 */
export function check(declared: ReadonlyMap<string, PayloadType>, data: Data): void {
  for (const name of [...declared.keys(), ...Object.keys(data)]) {
    const type = declared.get(name);
    if (type === undefined || !Object.hasOwn(data, name) || !IS_OF_TYPE[type](data[name])) {
      throw new StoreError("payload", `The field ${name} is ${type === undefined ? "not declared" : `no ${type}`}.`);
    }
  }
}

/** Return the text that a form keeps, and the digest by which a transition names it. */
export function seal(data: Data, salt: string): { readonly digest: Digest; readonly text: string } {
  const text = write({ data, salt });
  if (unseal(text) === null) {
    throw new StoreError("payload", "These values cannot be sealed.");
  }
  return { digest: digestOf(text), text };
}

/** Return the data of a sealed payload; null if the text is not canonical or breaks a limit. It never throws. */
export function unseal(text: string): Data | null {
  if (text.length > BYTES_MAX || new TextEncoder().encode(text).length > BYTES_MAX) {
    return null;
  }
  try {
    const value = JSON.parse(text) as { readonly data: Data; readonly salt: string };
    const { data, salt } = value;
    const isPayload =
      Object.keys(value).length === 2 &&
      typeof salt === "string" &&
      SALT.test(salt) &&
      typeof data === "object" &&
      Object.entries(data).every(([name, one]) => NAME.test(name) && isValue(one));
    return isPayload && write({ data, salt }) === text ? data : null;
  } catch {
    return null;
  }
}

/** The digest of a sealed text. */
export function digestOf(text: string): Digest {
  return sha256Of(new TextEncoder().encode(text));
}

function isValue(value: unknown): boolean {
  return typeof value === "string" ? value.isWellFormed() : Number.isSafeInteger(value);
}

function isText(value: unknown, charactersMax: number): boolean {
  return typeof value === "string" && value !== "" && [...value].length <= charactersMax;
}

function isDate(value: unknown): boolean {
  if (typeof value !== "string" || !DATE.test(value) || value.startsWith("0000")) {
    return false;
  }
  const at = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(value);
}
