/** What a card and a form hold, checked before it is written: the service refuses a document for one wrong value. */

import { type Scalar, StoreError } from "./types.ts";

const CARD_TEXT_BYTES_MAX = 1_024; // these are the service's, of `crdt_sync/wire/limits.py`
const FIELD_TEXT_BYTES_MAX = 8_192;
const KEY_LENGTH_MAX = 64;
const CARD_KEY = /^(title|customer|priority|tags|assignee\.([a-z][a-z0-9_]*)|hold\.([a-z][a-z0-9_]*)\.[ -~]{1,128})$/;
const FIELD_KEY = /^[a-z][a-z0-9_]*$/;

type Fields = Readonly<Record<string, Scalar>>;

/** @throws StoreError for what a card does not hold. */
export function checkCard(fields: Fields): void {
  for (const [key, value] of Object.entries(fields)) {
    const [, , assignee = "", held = ""] = CARD_KEY.exec(key) ?? [];
    if (!CARD_KEY.test(key) || Math.max(assignee.length, held.length) > KEY_LENGTH_MAX) {
      throw new StoreError("key", `A card has no key ${key}.`);
    }
    if (key === "tags" && value !== null && typeof value !== "string") {
      throw new StoreError("content", "Tags are one text.");
    }
    checkValue(key, value, CARD_TEXT_BYTES_MAX);
  }
}

/** @throws StoreError for what a form does not hold. */
export function checkForm(fields: Fields): void {
  for (const [key, value] of Object.entries(fields)) {
    if (!FIELD_KEY.test(key) || key.length > KEY_LENGTH_MAX) {
      throw new StoreError("key", `A form has no field ${key}.`);
    }
    checkValue(key, value, FIELD_TEXT_BYTES_MAX);
  }
}

/** @throws StoreError for text that no document takes. */
export function checkText(key: string, text: string, bytesMax: number): void {
  if (!text.isWellFormed()) {
    throw new StoreError("half_character", `The text of ${key} holds half a character.`);
  }
  if (new TextEncoder().encode(text).length > bytesMax) {
    throw new StoreError("size", `The text of ${key} has more than ${bytesMax} bytes.`);
  }
}

function checkValue(key: string, value: Scalar, bytesMax: number): void {
  if (typeof value === "string") {
    checkText(key, value, bytesMax);
  } else if (typeof value === "number" && (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER)) {
    throw new StoreError("content", `The number of ${key} is out of bounds.`);
  }
}
