/** The stage of a ticket and what is owed in it, read from its lanes; nothing here is ever stored. */

import type { LaneId } from "./ids.ts";
import { flaggedOvertaken, flags, type LaneView, trigger } from "./join.ts";
import { type Alternative, known, type Lifecycle, matches, type StageRow } from "./model.ts";
import type { OpenObligation } from "./result.ts";

export type Views = ReadonlyMap<LaneId, LaneView>;

const REVIEW = "review"; // what a flagged lane owes; no lifecycle declares it: a person looks, and acts again or not

/** The row that holds, and the first of its alternatives that made it hold. */
export interface StageMatch {
  readonly row: StageRow;
  readonly alternative: Alternative;
}

/** Return the first row that matches; null only for a table that a checker would refuse. */
export function matchStage(lifecycle: Lifecycle, states: ReadonlyMap<LaneId, string>): StageMatch | null {
  for (const row of lifecycle.stages) {
    for (const alternative of row.when) {
      if ([...alternative].every(([lane, pattern]) => matches(pattern, known(states, lane)))) {
        return { row, alternative };
      }
    }
  }
  return null;
}

/** Return what is owed: the row's own entries, then a review of each flagged lane, both in the file's order. */
export function obligations(match: StageMatch | null, views: Views): readonly OpenObligation[] {
  const row = match?.row.stage ?? null;
  const causes = trigger([...(match?.alternative.keys() ?? [])].flatMap((lane) => known(views, lane).effective));
  const owed = (match?.row.owes ?? []).map((owes) => ({ row, owes, trigger: causes }));
  const reviews = [...views]
    .filter(([, view]) => flags(view).length > 0)
    .map(([lane, view]) => ({
      row,
      owes: new Map([[lane, [REVIEW]]]),
      trigger: trigger([...view.effective, ...flaggedOvertaken(view)]),
    }));
  return [...owed, ...reviews];
}
