/** Canonical JSON: one value, one string. Digests and ids are taken over nothing else. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import type { Digest } from "./ids.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * Write a value with sorted keys, no white space and the shortest escapes.
 *
 * Keys are ASCII wherever a digest is taken, so that sorting by UTF-16 unit and by code point is one. Numbers are
 * whole: a fraction is our own mistake.
 */
export function write(value: Json): string {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} has no canonical form.`);
  }
  if (value === null || typeof value !== "object") {
    return JSON.stringify(value);
  }
  if (isList(value)) {
    return `[${value.map(write).join(",")}]`;
  }
  const entries = Object.entries(value).sort(([first], [second]) => (first < second ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`).join(",")}}`;
}

/** SHA-256 over bytes. */
export function sha256Of(data: Uint8Array): Digest {
  return bytesToHex(sha256(data)) as Digest;
}

/** SHA-256 over the canonical JSON of a value. */
export function digestOf(value: Json): Digest {
  return sha256Of(utf8ToBytes(write(value)));
}

/** SHA-256 over prefix and data in lowercase base32 without padding: 52 characters. */
export function base32Id(prefix: Uint8Array, data: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of sha256(concatBytes(prefix, data))) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((buffer >>> bits) & 31);
    }
    buffer &= 31;
  }
  return text + BASE32.charAt((buffer << (5 - bits)) & 31);
}

function isList(value: readonly Json[] | { readonly [key: string]: Json }): value is readonly Json[] {
  return Array.isArray(value);
}
