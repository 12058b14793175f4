/** What is owed, in the words of the lifecycle's file. Pure. */

import { type Language, type Lifecycle, label } from "../lifecycle/model.ts";
import type { Owed } from "../store/types.ts";
import { say } from "./words.ts";

export const REVIEW = "review"; // what a flagged lane owes; no file declares it

/** Say for each lane who owes which of its moves. */
export function owedLines(lifecycle: Lifecycle, owed: readonly Owed[], language: Language): readonly string[] {
  return owed.map(({ lane, moves, department }) =>
    say(language, "owed_by", {
      who: label(lifecycle, department, language),
      moves: movesLabel(lifecycle, lane, moves, language),
    }),
  );
}

/** Name the moves of which any one will do. */
export function movesLabel(lifecycle: Lifecycle, lane: string, moves: readonly string[], language: Language): string {
  return moves
    .map((move) =>
      move === REVIEW
        ? say(language, "todo_review", { lane: label(lifecycle, lane, language) })
        : label(lifecycle, `${lane}.${move}`, language),
    )
    .join(say(language, "owed_or"));
}
