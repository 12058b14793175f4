/**
 * A lifecycle file to a `Lifecycle`, from the JSON of the parsed file.
 *
 * It trusts the file: the checker has proven it before a service runs it, and only what a service runs comes here.
 */

import { digestOf, type Json } from "./canonical.ts";
import type { Digest, LaneId } from "./ids.ts";
import {
  type Alternative,
  known,
  type Lane,
  type Language,
  type Lifecycle,
  type Owed,
  type Pattern,
  type PayloadType,
  type StageKind,
  type StageRow,
  type TransitionSpec,
  unnamed,
} from "./model.ts";

type OneOrMore = string | readonly string[];
type Named<Value> = { readonly [name: string]: Value };
type Labels = Named<Partial<Record<Language, string>>>;

/** The parsed file as written; what decides nothing here is left out. */
export interface LifecycleFile {
  readonly lifecycle: string;
  readonly version: number;
  readonly title?: Partial<Record<Language, string>>;
  readonly open?: { readonly by: OneOrMore };
  readonly talk?: readonly string[];
  readonly lanes: Named<LaneFile>;
  readonly stages: readonly RowFile[];
  readonly stories?: Named<{ readonly events: readonly string[]; readonly expect: Named<unknown> }>;
  readonly labels?: Labels;
}

interface LaneFile {
  readonly owner: string;
  readonly control?: boolean;
  readonly initial: string;
  readonly states: readonly string[];
  readonly order: readonly string[];
  readonly conflicts?: Named<readonly string[]>;
  readonly transitions: Named<TransitionFile>;
  readonly form_readers?: readonly string[];
  readonly labels?: Labels;
}

interface TransitionFile {
  readonly from?: OneOrMore;
  readonly settles?: string;
  readonly to: string;
  readonly by?: OneOrMore;
  readonly if?: Named<OneOrMore>;
  readonly resets?: boolean;
  readonly payload?: Named<PayloadType>;
}

interface RowFile {
  readonly stage: string;
  readonly kind: StageKind;
  readonly when: Named<OneOrMore> | readonly Named<OneOrMore>[];
  readonly owes?: readonly Named<readonly string[]>[];
}

/** Read a whole file. */
export function read(file: LifecycleFile): Lifecycle {
  const lanes = mapped(file.lanes, lane);
  const control = [...lanes.values()].find((candidate) => candidate.control);
  if (control === undefined) {
    throw new Error("A proven lifecycle has a control lane.");
  }
  const openBy = listed(file.open?.by);
  return {
    name: file.lifecycle,
    digest: lifecycleDigest(file),
    title: file.title ?? {},
    openBy: openBy.length > 0 ? openBy : [control.owner],
    talk: file.talk ?? [...new Set([...lanes.values()].map(({ owner }) => owner))],
    lanes,
    control,
    stages: file.stages.map(row),
    stories: Object.entries(file.stories ?? {}).map(([name, story]) => ({
      ...story,
      name,
      expect: mapped(story.expect, (value) => value),
    })),
    labels: labelsOf(file),
  };
}

/** SHA-256 over the canonical JSON of what decides, as written; labels are left out of each lane. */
function lifecycleDigest(file: LifecycleFile): Digest {
  const lanes = Object.fromEntries(
    Object.entries(file.lanes).map(([name, { labels: _, ...deciding }]) => [name, deciding]),
  );
  // Parsed JSON is JSON, which the interface of a file cannot say.
  return digestOf({ lifecycle: file.lifecycle, version: file.version, stages: file.stages, lanes } as unknown as Json);
}

function lane(file: LaneFile, id: LaneId): Lane {
  const conflicts = mapped(file.conflicts ?? {}, (members) => new Set(members));
  return {
    id,
    owner: file.owner,
    control: file.control ?? false,
    initial: file.initial,
    states: file.states,
    below: closed(file.states, file.order),
    conflicts,
    named: new Map([...conflicts].map(([name, members]) => [unnamed(members), name])),
    transitions: mapped(file.transitions, (declared, name) => transition(name, declared, file.owner)),
    formReaders: file.form_readers ?? [],
  };
}

/** The transitive closure of the chains `a < b < c`. */
function closed(states: readonly string[], order: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const below = new Map(states.map((state) => [state, new Set<string>()]));
  for (const [lower, upper] of order.flatMap(stepsOf)) {
    const under = [lower, ...known(below, lower)];
    const above = [...below].filter(([state, already]) => state === upper || already.has(upper));
    for (const [state, already] of above) {
      below.set(state, new Set([...already, ...under]));
    }
  }
  return below;
}

function stepsOf(chain: string): readonly (readonly [string, string])[] {
  const names = chain.split("<").map((name) => name.trim());
  return names.slice(1).map((upper, index) => [names[index] ?? "", upper]);
}

function transition(name: string, file: TransitionFile, owner: string): TransitionSpec {
  const by = listed(file.by);
  return {
    name,
    sources: new Set(listed(file.from)),
    to: file.to,
    by: by.length > 0 ? by : [owner],
    settles: file.settles ?? null,
    resets: file.resets ?? false,
    conditions: conditions(file.if ?? {}),
    payload: mapped(file.payload ?? {}, (type) => type),
  };
}

function row(file: RowFile): StageRow {
  return {
    stage: file.stage,
    kind: file.kind,
    when: (Array.isArray(file.when) ? file.when : [file.when]).map(conditions),
    owes: (file.owes ?? []).map((owed): Owed => mapped(owed, (names) => names)),
  };
}

function conditions(file: Named<OneOrMore>): Alternative {
  return mapped(file, pattern);
}

function pattern(names: OneOrMore): Pattern {
  if (typeof names !== "string") {
    return { names: new Set(names), negated: false, any: false };
  }
  const negated = names.startsWith("!");
  return { names: new Set([negated ? names.slice(1) : names]), negated, any: names === "*" };
}

function labelsOf(file: LifecycleFile): Lifecycle["labels"] {
  const ofLanes = Object.entries(file.lanes).flatMap(([id, { labels = {} }]) =>
    Object.entries(labels).map(([name, texts]) => [`${id}.${name}`, texts] as const),
  );
  return new Map([...Object.entries(file.labels ?? {}), ...ofLanes]);
}

function listed(value: OneOrMore | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}

function mapped<Name extends string, From, To>(
  table: Named<From>,
  to: (value: From, name: Name) => To,
): ReadonlyMap<Name, To> {
  return new Map((Object.entries(table) as [Name, From][]).map(([name, value]) => [name, to(value, name)]));
}
