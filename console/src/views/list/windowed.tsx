/** A list of any length that draws only what is in sight. Arrows, j and k, Home and End go through it, with the focus. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useKeys } from "../use_keys.ts";
import { type Cursor, indexOf, ROW_PX, revealed, sliceOf } from "./window.ts";

interface Props<T> {
  readonly items: readonly T[];
  readonly isComplete: boolean; // until it is, nobody stands on an item that he has not gone to
  readonly cursor: Cursor; // written here
  readonly keyOf: (item: T) => string;
  readonly label: string;
  /** Draw a link; `isStop` is the one that Tab stops at. */
  readonly draw: (item: T, isCurrent: boolean, isStop: boolean) => ComponentChildren;
  readonly enter: (item: T) => void;
}

export function Windowed<T>({ items, isComplete, cursor, keyOf, label, draw, enter }: Props<T>): JSX.Element {
  const box = useRef<HTMLUListElement>(null);
  const [scrolled, setScrolled] = useState(() => wholeRows(cursor.scrolledPx)); // in whole rows: less changes nothing
  const [height, setHeight] = useState(800);
  const [, redraw] = useState({});
  const isFocusWanted = useRef(cursor.key !== null); // whoever comes back stands where he was
  const index = indexOf(cursor, items, keyOf);
  const { from, to } = sliceOf(scrolled, height, items.length);
  const stop = Math.max(from, Math.min(index, to - 1));
  // While somebody scrolls, a row that is in sight is the same and is not looked at again. What has gone out of sight is
  // let go: thousands of rows that are kept make the collection of garbage slow enough to be seen.
  const drawn = useMemo(() => ({ rows: new Map<string, ComponentChildren>() }), [items, draw]);
  const before = drawn.rows;
  drawn.rows = new Map();
  const row = (item: T, place: number): ComponentChildren => {
    const key = `${keyOf(item)} ${place === index} ${place === stop}`;
    const shown = before.get(key) ?? draw(item, place === index, place === stop);
    drawn.rows.set(key, shown);
    return shown;
  };

  useScrolling(box, cursor, setScrolled, setHeight);
  useLayoutEffect(() => {
    const item = items[index];
    if (item !== undefined && (isComplete || cursor.key !== null)) {
      Object.assign(cursor, { key: keyOf(item), index });
    }
    if (isFocusWanted.current) {
      isFocusWanted.current = false;
      box.current?.querySelector<HTMLElement>(".row.current a")?.focus({ preventScroll: true });
    }
  });

  const stand = (place: number): void => {
    const item = items[place];
    if (item !== undefined && keyOf(item) !== cursor.key) {
      Object.assign(cursor, { key: keyOf(item), index: place });
      redraw({});
    }
  };
  const select = (wanted: number): void => {
    const next = Math.max(0, Math.min(wanted, items.length - 1));
    const list = box.current;
    isFocusWanted.current = true;
    stand(next);
    redraw({}); // also where it stands already: the focus may be elsewhere
    if (list !== null) {
      list.scrollTop = revealed(next, list.scrollTop, list.clientHeight);
      setScrolled(wholeRows(list.scrollTop)); // the row has to be there to be focused
    }
  };
  useKeys((key) => {
    const item = items[index];
    const next = stepped(key, index, items.length, Math.max(1, Math.floor(height / ROW_PX) - 1));
    if (next !== null) {
      select(next);
    } else if ((key === "Enter" || key === "o") && item !== undefined) {
      enter(item);
    } else {
      return false;
    }
    return true;
  });

  const scroll = ({ currentTarget }: { readonly currentTarget: HTMLElement }): void => {
    cursor.scrolledPx = currentTarget.scrollTop;
    setScrolled(wholeRows(currentTarget.scrollTop));
  };
  return (
    <ul class="windowed" ref={box} aria-label={label} onScroll={scroll}>
      <li class="extent" aria-hidden="true" style={{ height: `${items.length * ROW_PX}px` }} />
      {items.slice(from, to).map((item, offset) => (
        <li
          key={keyOf(item)}
          aria-setsize={items.length}
          aria-posinset={from + offset + 1}
          class={from + offset === index ? "row current" : "row"}
          style={{ transform: `translateY(${(from + offset) * ROW_PX}px)` }}
          onPointerDown={() => stand(from + offset)}
          onFocusIn={() => stand(from + offset)}
        >
          {row(item, from + offset)}
        </li>
      ))}
    </ul>
  );
}

/** Scroll to where the cursor was left, and follow the size of the box. */
function useScrolling(
  box: { readonly current: HTMLElement | null },
  cursor: Cursor,
  setScrolled: (px: number) => void,
  setHeight: (px: number) => void,
): void {
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) {
      return;
    }
    list.scrollTop = cursor.scrolledPx;
    const look = (): void => {
      setScrolled(wholeRows(list.scrollTop));
      setHeight(list.clientHeight);
    };
    const observer = new ResizeObserver(look);
    observer.observe(list);
    look();
    return () => observer.disconnect();
  }, [cursor]);
}

/** Where a key goes from a place in a list; null for one that goes nowhere. */
function stepped(key: string, index: number, count: number, page: number): number | null {
  const steps: Record<string, number> = {
    j: index + 1,
    k: index - 1,
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: count - 1,
  };
  return Object.hasOwn(steps, key) ? (steps[key] ?? null) : null;
}

function wholeRows(px: number): number {
  return Math.floor(px / ROW_PX) * ROW_PX;
}
