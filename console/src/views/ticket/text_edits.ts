/** What somebody typed, as an edit of a text that several write at once; and where a caret goes when others write. Pure. */

/** At `at`, `removed` characters give way to `inserted`. */
export interface TextEdit {
  readonly at: number;
  readonly removed: number;
  readonly inserted: string;
}

/** A part of what an event of a shared text says. */
export type Delta = readonly { readonly retain?: number; readonly delete?: number; readonly insert?: unknown }[];

/** Return what leads from one text to the other: the smallest single edit that halves no character; null if equal. */
export function editOf(before: string, after: string): TextEdit | null {
  if (before === after) {
    return null;
  }
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) {
    start += 1;
  }
  if (isSplit(before, start) || isSplit(after, start)) {
    start -= 1;
  }
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) {
    end += 1;
  }
  if (isSplit(before, before.length - end) || isSplit(after, after.length - end)) {
    end -= 1;
  }
  return { at: start, removed: before.length - start - end, inserted: after.slice(start, after.length - end) };
}

/** Return where a place is after a change; what is inserted there comes after it. */
export function moved(place: number, delta: Delta): number {
  let at = 0; // within the text as it is becoming
  let moving = place;
  for (const { retain, delete: removed, insert } of delta) {
    if (at >= moving) {
      break;
    }
    if (retain !== undefined) {
      at += retain;
    } else if (removed !== undefined) {
      moving = Math.max(at, moving - removed);
    } else if (typeof insert === "string") {
      at += insert.length;
      moving += insert.length;
    }
  }
  return moving;
}

/** Tell whether a place is within a character of two units. */
function isSplit(text: string, place: number): boolean {
  return place > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(place - 1, place + 1));
}
