import { describe, expect, test } from "vitest";

import { explain } from "../src/lifecycle/explain.ts";
import { Fold } from "../src/lifecycle/fold.ts";
import type { TransitionId } from "../src/lifecycle/ids.ts";
import type { Language } from "../src/lifecycle/model.ts";
import { PHRASES } from "../src/lifecycle/phrases.ts";
import { decode } from "../src/lifecycle/transition.ts";
import { bytesOf, FOLDS, type FoldRow, lifecycleOf, PHRASES as WRITTEN } from "./vectors.ts";

const LANGUAGES: readonly Language[] = ["en", "zh"];

function foldOf(row: FoldRow): Fold {
  const ticket = row.state["ticket"] as TransitionId | null;
  const fold = new Fold(lifecycleOf(row.lifecycle), ticket, { anyDigest: row.any_digest });
  for (const line of row.lines) {
    const decoded = decode(bytesOf(line));
    if (typeof decoded !== "string") {
      fold.add(decoded);
    }
  }
  return fold;
}

describe("explain", () => {
  test.each(FOLDS)("says what Python says of $name", (row) => {
    const fold = foldOf(row);
    for (const language of LANGUAGES) {
      expect(row[language]).toEqual(explain(lifecycleOf(row.lifecycle), fold, language));
    }
  });

  test("has Python's phrases and no others", () => {
    const written = { en: {}, zh: {} } as Record<Language, Record<string, string>>;
    for (const { language, phrase, text } of WRITTEN) {
      written[language][phrase] = text;
    }
    expect(written).toEqual(PHRASES);
  });
});
