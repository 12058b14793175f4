/**
 * How a lane is drawn: where its states stand, and how its arrows run between them, in pixels of the picture. Pure.
 */

import type { Arrow, Layout, Placed } from "./lane_layout.ts";

export const WIDTH = 110;
export const HEIGHT = 30;
const GAP_X = 24;
const GAP_Y = 14;
const DEPTH = 6; // of a curve's bend, and what each column that it reaches over adds
const DEPTH_OF_COLUMN = 8;
const DEEPEST = 0.75; // of its bend: as far as a curve of this kind goes
const FLAT = (WIDTH - HEIGHT) / 2; // from the middle of a state to where its round end begins

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly states: readonly { readonly state: string; readonly left: number; readonly top: number }[];
  readonly arrows: readonly { readonly arrow: Arrow; readonly path: string }[];
}

type Side = "above" | "below";

interface Way {
  readonly arrow: Arrow;
  readonly from: Placed;
  readonly to: Placed;
  readonly side: Side | null; // of the states that a curve goes around; null for what needs none
}

/** Draw a lane, with room above and below for the curves that run there. */
export function drawingOf(layout: Layout): Drawing {
  const { states, columns, rows } = layout;
  const ways = waysOf(layout);
  const room = (wanted: Side): number =>
    Math.max(0, ...ways.map((way) => (way.side === wanted ? DEEPEST * depthOf(way) : 0)));
  const above = room("above");
  const top = ({ row }: Placed): number => above + row * (HEIGHT + GAP_Y);
  return {
    width: columns * (WIDTH + GAP_X) - GAP_X,
    height: above + rows * (HEIGHT + GAP_Y) - GAP_Y + room("below"),
    states: states.map((placed) => ({ state: placed.state, left: left(placed), top: top(placed) })),
    arrows: ways.map((way) => ({
      arrow: way.arrow,
      path: way.side === null ? straight(way, top, states) : curve(way, way.side, top, columns),
    })),
  };
}

function waysOf({ states, arrows }: Layout): readonly Way[] {
  const places = new Map(states.map((placed) => [placed.state, placed]));
  return arrows.flatMap((arrow) => {
    const [from, to] = [places.get(arrow.from), places.get(arrow.to)];
    return from === undefined || to === undefined ? [] : [{ arrow, from, to, side: sideOf(from, to, states) }];
  });
}

/** What goes on is bent above the states and what goes back below them, unless others stand there alone. */
function sideOf(from: Placed, to: Placed, states: readonly Placed[]): Side | null {
  const isOn = to.column > from.column;
  if (from.column === to.column || (isOn && [from.row, to.row].some((row) => isFree(row, from, to, states)))) {
    return null;
  }
  const [first, last] = isOn ? [from.column, to.column] : [to.column, from.column];
  const around = states.filter(({ column }) => column >= first && column <= last);
  const isClear = {
    above: around.every(({ row }) => row >= Math.min(from.row, to.row)),
    below: around.every(({ row }) => row <= Math.max(from.row, to.row)),
  };
  const [wanted, other]: readonly [Side, Side] = isOn ? ["above", "below"] : ["below", "above"];
  return isClear[wanted] || !isClear[other] ? wanted : other;
}

function isFree(row: number, from: Placed, to: Placed, states: readonly Placed[]): boolean {
  return states.every((placed) => placed.row !== row || placed.column <= from.column || placed.column >= to.column);
}

/**
 * How far a curve reaches, in columns; back a little further than on. Of two curves at one state the one that reaches
 * further is deeper and begins nearer to the middle, so that one lies within the other.
 */
function reachOf({ from, to }: Way): number {
  return to.column > from.column ? to.column - from.column : from.column - to.column + 0.5;
}

function depthOf(way: Way): number {
  return DEPTH + DEPTH_OF_COLUMN * reachOf(way);
}

type Top = (placed: Placed) => number;

function curve(way: Way, side: Side, top: Top, columns: number): string {
  const { from, to } = way;
  const aside = FLAT * (1 - reachOf(way) / columns) * Math.sign(to.column - from.column);
  const [start, end] = [middle(from) + aside, middle(to) - aside];
  const [y1, y2] = side === "above" ? [top(from), top(to)] : [top(from) + HEIGHT, top(to) + HEIGHT];
  const bend = side === "above" ? Math.min(y1, y2) - depthOf(way) : Math.max(y1, y2) + depthOf(way);
  return `M${start} ${y1} C${start} ${bend} ${end} ${bend} ${end} ${y2}`;
}

/** From the middle of an edge to the middle of the other's, along a row in which no state stands between them. */
function straight({ from, to }: Way, top: Top, states: readonly Placed[]): string {
  const [x1, y1, x2, y2] = [left(from) + WIDTH, top(from) + HEIGHT / 2, left(to), top(to) + HEIGHT / 2];
  const [down, up] = to.row > from.row ? [HEIGHT, 0] : [0, HEIGHT];
  if (from.column === to.column) {
    return `M${middle(from)} ${top(from) + down} L${middle(to)} ${top(to) + up}`;
  }
  if (isFree(from.row, from, to, states) && isFree(to.row, from, to, states)) {
    return `M${x1} ${y1} C${x1 + GAP_X} ${y1} ${x2 - GAP_X} ${y2} ${x2} ${y2}`;
  }
  if (isFree(to.row, from, to, states)) {
    return `M${middle(from)} ${top(from) + down} Q${middle(from)} ${y2} ${middle(from) + GAP_X} ${y2} L${x2} ${y2}`;
  }
  return `M${x1} ${y1} L${middle(to) - GAP_X} ${y1} Q${middle(to)} ${y1} ${middle(to)} ${top(to) + up}`;
}

function left({ column }: Placed): number {
  return column * (WIDTH + GAP_X);
}

function middle(placed: Placed): number {
  return left(placed) + WIDTH / 2;
}
