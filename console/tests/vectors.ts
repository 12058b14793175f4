/** The vectors that Python writes, as `tests/console/vectors.py` describes them. */

import { readFileSync } from "node:fs";

import type { Json } from "../src/lifecycle/canonical.ts";
import { known, type Language, type Lifecycle } from "../src/lifecycle/model.ts";
import type { Phrase } from "../src/lifecycle/phrases.ts";
import { type LifecycleFile, read } from "../src/lifecycle/spec.ts";

export interface LifecycleRow {
  readonly name: string;
  readonly digest: string;
  readonly file: LifecycleFile;
}

export interface TransitionRow {
  readonly name: string;
  readonly text?: string;
  readonly hex?: string;
  readonly id?: string;
  readonly code?: string;
}

export interface PhraseRow {
  readonly language: Language;
  readonly phrase: Phrase;
  readonly text: string;
}

export interface FoldRow extends Readonly<Record<Language, readonly string[]>> {
  readonly name: string;
  readonly lifecycle: string;
  readonly any_digest: boolean;
  readonly lines: readonly string[];
  readonly state: { readonly [key: string]: Json };
}

export const LIFECYCLES: readonly LifecycleRow[] = rows("lifecycles");
export const TRANSITIONS: readonly TransitionRow[] = rows("transitions");
export const PHRASES: readonly PhraseRow[] = rows("phrases");
export const FOLDS: readonly FoldRow[] = rows("folds");

const BY_NAME = new Map(LIFECYCLES.map((row) => [row.name, read(row.file)]));

/** The lifecycle of a row of `folds`. */
export function lifecycleOf(name: string): Lifecycle {
  return known(BY_NAME, name);
}

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function rows<Row>(name: string): Row[] {
  const path = new URL(`../../proto/vectors/${name}.jsonl`, import.meta.url);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Row);
}
