/**
 * What a lifecycle is, once read: immutable values and look-ups, no parsing and no judgement.
 *
 * Names come from files and from records, so they are keys of maps and never of objects: a lane may well be called
 * `constructor`.
 */

import type { Digest, LaneId } from "./ids.ts";

export type StageKind = "normal" | "attention" | "compensation" | "settled" | "final";
export type Language = "en" | "zh";
export type PayloadType = "text" | "money" | "integer" | "date" | "file";

/** One condition on a name: any of `names`, none of them (`negated`), or everything (`any`). */
export interface Pattern {
  readonly names: ReadonlySet<string>;
  readonly negated: boolean;
  readonly any: boolean;
}

/** A transition as the lifecycle declares it; `sources` are states or conflicts, `settles` is a conflict. */
export interface TransitionSpec {
  readonly name: string;
  readonly sources: ReadonlySet<string>;
  readonly to: string;
  readonly by: readonly string[];
  readonly settles: string | null;
  readonly resets: boolean;
  readonly conditions: ReadonlyMap<LaneId | typeof STAGE, Pattern>; // all must hold
  readonly payload: ReadonlyMap<string, PayloadType>;
}

/** One department's state machine, with the order that says which of two concurrent states wins. */
export interface Lane {
  readonly id: LaneId;
  readonly owner: string;
  readonly control: boolean;
  readonly initial: string;
  readonly states: readonly string[];
  readonly below: ReadonlyMap<string, ReadonlySet<string>>; // state -> every state strictly below it
  readonly conflicts: ReadonlyMap<string, ReadonlySet<string>>; // name -> the states that it joins
  readonly named: ReadonlyMap<string, string>; // those states as `unnamed` writes them -> the conflict's name
  readonly transitions: ReadonlyMap<string, TransitionSpec>;
  readonly formReaders: readonly string[]; // beside the owner
}

/** An alternative of a stage row: every lane that it names must match. */
export type Alternative = ReadonlyMap<LaneId, Pattern>;

/** An entry of `owes`: any one of these transitions discharges it. */
export type Owed = ReadonlyMap<LaneId, readonly string[]>;

/** One row of the stage table; it matches if any alternative does. */
export interface StageRow {
  readonly stage: string;
  readonly kind: StageKind;
  readonly when: readonly Alternative[];
  readonly owes: readonly Owed[];
}

/** A small concurrent history and what it must give, as written. */
export interface Story {
  readonly name: string;
  readonly events: readonly string[];
  readonly expect: ReadonlyMap<string, unknown>;
}

/** The merge semantics of one kind of ticket. Two files with one `digest` decide alike. */
export interface Lifecycle {
  readonly name: string;
  readonly digest: Digest;
  readonly title: Partial<Record<Language, string>>;
  readonly openBy: readonly string[];
  readonly talk: readonly string[]; // the departments that take part in the conversation
  readonly lanes: ReadonlyMap<LaneId, Lane>; // in the order of the file
  readonly control: Lane;
  readonly stages: readonly StageRow[];
  readonly stories: readonly Story[];
  readonly labels: ReadonlyMap<string, Partial<Record<Language, string>>>;
}

export const STAGE = "stage"; // beside the lanes in an `if`, and therefore no lane's name

/** Tell whether a name satisfies the pattern. */
export function matches(pattern: Pattern, name: string): boolean {
  return pattern.any || pattern.names.has(name) !== pattern.negated;
}

/** How states that stand beside each other are written where their conflict has no name. */
export function unnamed(states: Iterable<string>): string {
  return [...states].sort().join("|");
}

/** The label of a stage, a lane, a role or `lane.name`, or its bare name. */
export function label(lifecycle: Lifecycle, key: string, language: Language): string {
  return lifecycle.labels.get(key)?.[language] ?? key.slice(key.lastIndexOf(".") + 1);
}

/** The label of a field of a payload, or its bare name: a forged payload may have fields of any name. */
export function fieldLabel(lifecycle: Lifecycle, lane: LaneId, field: string, language: Language): string {
  return lifecycle.labels.get(`${lane}.${field}`)?.[language] ?? field;
}

/** Return what a map holds for a key that is known to be there; its absence is our own mistake. */
export function known<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) {
    throw new Error(`Nothing is known of ${String(key)}.`);
  }
  return value;
}
