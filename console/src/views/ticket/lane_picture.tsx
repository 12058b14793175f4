/**
 * One lane as a picture: its states, the arrows between them, and where it stands. A list for who does not see it. It is
 * as wide as its column, but no smaller than can be read; only then does it scroll.
 */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { type Lane, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Move } from "../../store/types.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { type Arrow, layoutOf, membersOf, type Placed } from "./lane_layout.ts";

const WIDTH = 110;
const HEIGHT = 30;
const GAP_X = 24;
const GAP_Y = 14;
const SHRINKS_TO = 0.58; // of its own size; the words of states are 9 pixels high then

interface Props {
  readonly lifecycle: Lifecycle;
  readonly lane: Lane;
  readonly value: string;
  readonly moves: readonly Move[];
}

export function LanePicture({ lifecycle, lane, value, moves }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { states, arrows, columns, rows } = useMemo(() => layoutOf(lane), [lane]);
  const members = membersOf(lane, value);
  const places = new Map(states.map((placed) => [placed.state, placed]));
  const width = columns * (WIDTH + GAP_X) - GAP_X;
  const height = rows * (HEIGHT + GAP_Y) - GAP_Y;
  const head = `head-${lane.id}`;
  const enabled = new Set(moves.filter(({ why }) => why === null).map(({ name }) => name));
  const isLive = ({ name, from }: Arrow): boolean => enabled.has(name) && members.has(from);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
    <section class="lane-picture" aria-label={label(lifecycle, lane.id, language)} tabIndex={0}>
      <div
        class="lane-canvas"
        style={{
          maxWidth: `${width}px`,
          minWidth: `${width * SHRINKS_TO}px`,
          aspectRatio: `${width} / ${height}`,
          "--px": `${100 / width}cqw`,
        }}
      >
        <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          <marker id={head} viewBox="0 0 6 6" refX="6" refY="3" markerWidth="5" markerHeight="5" orient="auto">
            <path class="arrow-head" d="M0 0 L6 3 L0 6 z" />
          </marker>
          {arrows.map((arrow) => (
            <path
              key={`${arrow.name} ${arrow.from}`}
              d={pathOf(places.get(arrow.from), places.get(arrow.to), states)}
              marker-end={`url(#${head})`}
              class={isLive(arrow) ? "arrow live" : "arrow"}
            />
          ))}
        </svg>
        <ol>
          {states.map((placed) => (
            <li
              key={placed.state}
              class={members.has(placed.state) ? `state current${members.size > 1 ? " contested" : ""}` : "state"}
              style={{ left: px(left(placed)), top: px(top(placed)), width: px(WIDTH), height: px(HEIGHT) }}
            >
              <span>{label(lifecycle, `${lane.id}.${placed.state}`, language)}</span>
              {members.has(placed.state) && <span class="visually-hidden">({words("current")})</span>}
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

/** A length in the picture's own pixels. */
function px(length: number): string {
  return `calc(${length} * var(--px))`;
}

function left({ column }: Placed): number {
  return column * (WIDTH + GAP_X);
}

function top({ row }: Placed): number {
  return row * (HEIGHT + GAP_Y);
}

/**
 * From the middle of an edge to the middle of the other's, along a row in which no state stands between them. Straight
 * within a column; back, and where no row is free, in a curve around.
 */
function pathOf(from: Placed | undefined, to: Placed | undefined, states: readonly Placed[]): string {
  if (from === undefined || to === undefined) {
    return "";
  }
  const middle = HEIGHT / 2;
  const [x1, y1, x2, y2] = [left(from) + WIDTH, top(from) + middle, left(to), top(to) + middle];
  const [start, end] = [left(from) + WIDTH / 2, left(to) + WIDTH / 2];
  const between = states.filter(({ column }) => column > from.column && column < to.column);
  const isFree = (row: number): boolean => between.every((placed) => placed.row !== row);
  const [down, up] = to.row > from.row ? [HEIGHT, 0] : [0, HEIGHT];
  if (to.column > from.column && isFree(from.row) && isFree(to.row)) {
    return `M${x1} ${y1} C${x1 + GAP_X} ${y1} ${x2 - GAP_X} ${y2} ${x2} ${y2}`;
  }
  if (to.column > from.column && isFree(to.row)) {
    return `M${start} ${top(from) + down} Q${start} ${y2} ${start + GAP_X} ${y2} L${x2} ${y2}`;
  }
  if (to.column > from.column && isFree(from.row)) {
    return `M${x1} ${y1} L${end - GAP_X} ${y1} Q${end} ${y1} ${end} ${top(to) + up}`;
  }
  if (to.column === from.column) {
    return `M${start} ${top(from) + down} L${end} ${top(to) + up}`;
  }
  const bottom = Math.max(top(from), top(to)) + HEIGHT;
  return `M${start} ${top(from) + HEIGHT} C${start} ${bottom + GAP_Y} ${end} ${bottom + GAP_Y} ${end} ${top(to) + HEIGHT}`;
}
