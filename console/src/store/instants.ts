/** How an instant is written; the same as `crdt_sync/domain/instants.py`. */

export const INSTANT_MS_MAX = 253_402_300_799_999; // the last millisecond of the year 9999: a later `Date` may be none

/** Write an instant as RFC 3339 in UTC; one after the year 9999, which a client may claim, as the last of it. */
export function instant(at: number): string {
  return new Date(Math.min(at, INSTANT_MS_MAX)).toISOString();
}
