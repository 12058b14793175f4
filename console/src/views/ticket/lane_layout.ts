/** Where the states of a lane stand in its picture: columns by the lane's order, side by side what nothing orders. Pure. */

import type { Lane } from "../../lifecycle/model.ts";

export interface Placed {
  readonly state: string;
  readonly column: number;
  readonly row: number;
}

export interface Arrow {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export interface Layout {
  readonly states: readonly Placed[];
  readonly arrows: readonly Arrow[]; // of the moves from a state to another one
  readonly columns: number;
  readonly rows: number;
}

/** Lay out a lane. A state stands right of every state that the order puts below it. */
export function layoutOf(lane: Lane): Layout {
  const columns = new Map<string, number>();
  const columnOf = (state: string): number => {
    const known = columns.get(state);
    if (known !== undefined) {
      return known;
    }
    const below = [...(lane.below.get(state) ?? [])];
    const column = below.length === 0 ? 0 : Math.max(...below.map(columnOf)) + 1;
    columns.set(state, column);
    return column;
  };
  const filled = new Map<number, number>();
  const states = lane.states.map((state): Placed => {
    const column = columnOf(state);
    const row = filled.get(column) ?? 0;
    filled.set(column, row + 1);
    return { state, column, row };
  });
  const arrows = [...lane.transitions.values()].flatMap(({ name, sources, to }) =>
    [...sources].filter((from) => from !== to && lane.states.includes(from)).map((from) => ({ name, from, to })),
  );
  return { states, arrows, columns: filled.size, rows: Math.max(...filled.values()) };
}

/** Return the states that a lane's value stands for: one, or several that contradict each other. */
export function membersOf(lane: Lane, value: string): ReadonlySet<string> {
  return new Set(lane.conflicts.get(value) ?? value.split("|"));
}
