/** Which rows of a long list are drawn: those in sight, and a few around them. Pure. */

export const ROW_PX = 44;
const AROUND = 8; // rows beyond each edge, so that a quick turn of the wheel finds them drawn

export interface Slice {
  readonly from: number;
  readonly to: number; // exclusive
}

export function sliceOf(scrolledPx: number, heightPx: number, count: number): Slice {
  const from = Math.max(0, Math.min(count, Math.floor(scrolledPx / ROW_PX)) - AROUND);
  return { from, to: Math.max(from, Math.min(count, Math.ceil((scrolledPx + heightPx) / ROW_PX) + AROUND)) };
}

/** Return where to scroll so that a row is in sight, or the same place if it is already. */
export function revealed(index: number, scrolledPx: number, heightPx: number): number {
  const top = index * ROW_PX;
  return Math.max(Math.min(scrolledPx, top), top + ROW_PX - heightPx);
}

/** Where somebody is in a list, by what he stands on: others come and go around it. */
export interface Cursor {
  key: string | null; // null: at the top, on nothing of his choice
  index: number; // where that was last
  scrolledPx: number;
}

/** Return a cursor of who has just come. */
export function atTop(): Cursor {
  return { key: null, index: 0, scrolledPx: 0 };
}

/** Return where a cursor stands now; what has left the list is followed by what took its place. */
export function indexOf<T>(cursor: Cursor, items: readonly T[], keyOf: (item: T) => string): number {
  const found = cursor.key === null ? 0 : items.findIndex((item) => keyOf(item) === cursor.key);
  return Math.max(0, Math.min(found >= 0 ? found : cursor.index, items.length - 1));
}
