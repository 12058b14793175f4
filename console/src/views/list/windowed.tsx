/** A list of any length that draws only what is in sight. Arrows, j and k, Home and End go through it. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useKeys } from "../use_keys.ts";
import { ROW_PX, revealed, sliceOf } from "./window.ts";

interface Props<T> {
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  readonly label: string;
  readonly draw: (item: T, isCurrent: boolean) => ComponentChildren;
  readonly enter: (item: T) => void;
}

export function Windowed<T>({ items, keyOf, label, draw, enter }: Props<T>): JSX.Element {
  const box = useRef<HTMLUListElement>(null);
  const [scrolled, setScrolled] = useState(0); // in whole rows: less changes nothing
  const [height, setHeight] = useState(800);
  const [current, setCurrent] = useState(0);
  const index = Math.max(0, Math.min(current, items.length - 1));
  const { from, to } = sliceOf(scrolled, height, items.length);
  // While somebody scrolls, a row that is in sight is the same and is not looked at again. What has gone out of sight is
  // let go: thousands of rows that are kept make the collection of garbage slow enough to be seen.
  const drawn = useMemo(() => ({ rows: new Map<string, ComponentChildren>() }), [items, draw]);
  const before = drawn.rows;
  drawn.rows = new Map();
  const row = (item: T, isCurrent: boolean): ComponentChildren => {
    const key = `${keyOf(item)} ${isCurrent}`;
    const shown = before.get(key) ?? draw(item, isCurrent);
    drawn.rows.set(key, shown);
    return shown;
  };

  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) {
      return;
    }
    const look = (): void => {
      setScrolled(rowsAbove(list));
      setHeight(list.clientHeight);
    };
    const observer = new ResizeObserver(look);
    observer.observe(list);
    look();
    return () => observer.disconnect();
  }, []);

  const select = (wanted: number): void => {
    const next = Math.max(0, Math.min(wanted, items.length - 1));
    const list = box.current;
    setCurrent(next);
    if (list !== null) {
      list.scrollTop = revealed(next, list.scrollTop, list.clientHeight);
    }
  };
  useKeys((key) => {
    const page = Math.max(1, Math.floor(height / ROW_PX) - 1);
    const steps: Record<string, number> = {
      j: index + 1,
      k: index - 1,
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: items.length - 1,
    };
    const item = items[index];
    if (Object.hasOwn(steps, key)) {
      select(steps[key] ?? 0);
    } else if ((key === "Enter" || key === "o") && item !== undefined) {
      enter(item);
    } else {
      return false;
    }
    return true;
  });

  return (
    <ul class="windowed" ref={box} aria-label={label} onScroll={(event) => setScrolled(rowsAbove(event.currentTarget))}>
      <li class="extent" aria-hidden="true" style={{ height: `${items.length * ROW_PX}px` }} />
      {items.slice(from, to).map((item, place) => (
        <li
          key={keyOf(item)}
          aria-setsize={items.length}
          aria-posinset={from + place + 1}
          class={from + place === index ? "row current" : "row"}
          style={{ transform: `translateY(${(from + place) * ROW_PX}px)` }}
          onPointerDown={() => setCurrent(from + place)}
        >
          {row(item, from + place === index)}
        </li>
      ))}
    </ul>
  );
}

function rowsAbove(list: HTMLElement): number {
  return Math.floor(list.scrollTop / ROW_PX) * ROW_PX;
}
