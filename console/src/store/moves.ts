/** Which moves there are in a ticket as it is shown, and in words why others are not. Reads a state; judges nothing new. */

import type { LaneId } from "../lifecycle/ids.ts";
import {
  known,
  type Lane,
  type Language,
  type Lifecycle,
  label,
  matches,
  type Pattern,
  STAGE,
  type StageKind,
  type TransitionSpec,
} from "../lifecycle/model.ts";
import { PHRASES } from "../lifecycle/phrases.ts";
import type { TicketState } from "../lifecycle/result.ts";
import { matchStage } from "../lifecycle/stage.ts";
import type { Move, NotEnabled, Person } from "./types.ts";

const WORDS = {
  en: {
    lane_owner: "This is for {owner} to do.",
    role: "Only {roles} may do this.",
    from: "{lane} is {state}, and this needs {sources}.",
    if: "This needs that {conditions}.",
    not_there_yet: "The ticket has not arrived here yet.",
  },
  zh: {
    lane_owner: "由{owner}执行。",
    role: "只有{roles}可以执行。",
    from: "{lane}为“{state}”，而该步骤要求“{sources}”。",
    if: "需要满足：{conditions}。",
    not_there_yet: "此工单尚未到达这里。",
  },
} as const;

/** Return every move of the lifecycle, the lanes of the person's department first. */
export function movesOf(lifecycle: Lifecycle, state: TicketState, person: Person): readonly Move[] {
  const lanes = [...lifecycle.lanes.values()];
  const isOwn = (lane: Lane): boolean => lane.owner === person.department;
  return [...lanes.filter(isOwn), ...lanes.filter((lane) => !isOwn(lane))].flatMap((lane) =>
    [...lane.transitions.values()].map((spec) => {
      const why = whyNot(lane, spec, state, person);
      const say = (language: Language): string =>
        why === null ? "" : reason(lifecycle, lane, spec, state, why, language);
      return {
        lane: lane.id,
        name: spec.name,
        to: spec.to,
        payload: spec.payload,
        by: spec.by,
        why,
        ends: why === null ? endOf(lifecycle, lane, spec, state) : null,
        reason: { en: say("en"), zh: say("zh") },
      };
    }),
  );
}

type Reason = Exclude<NotEnabled, "read_only">;

/** The same checks, in the same order, as the fold's own for a transition that has seen everything. */
function whyNot(lane: Lane, spec: TransitionSpec, state: TicketState, person: Person): Reason | null {
  if (state.ticket === null || state.codes.size > 0) {
    return "not_there_yet";
  }
  if (lane.owner !== person.department) {
    return "lane_owner";
  }
  if (!spec.by.some((role) => person.roles.includes(role))) {
    return "role";
  }
  const now = known(state.lanes, lane.id);
  if (!spec.sources.has(now) && spec.settles !== now) {
    return "from";
  }
  const holds = ([key, pattern]: readonly [LaneId | typeof STAGE, Pattern]): boolean =>
    matches(pattern, key === STAGE ? (state.stage ?? "") : known(state.lanes, key));
  return [...spec.conditions].every(holds) ? null : "if";
}

/** Return the stage after a move if the ticket is then nearer to its end than now: settled, or final for good. */
function endOf(lifecycle: Lifecycle, lane: Lane, spec: TransitionSpec, state: TicketState): string | null {
  const row = matchStage(lifecycle, new Map([...state.lanes, [lane.id, spec.to]]))?.row;
  return row !== undefined && finality(row.kind) > finality(state.kind) ? row.stage : null;
}

function finality(kind: StageKind | null): number {
  return kind === "final" ? 2 : Number(kind === "settled");
}

function reason(
  lifecycle: Lifecycle,
  lane: Lane,
  spec: TransitionSpec,
  state: TicketState,
  why: Reason,
  language: Language,
): string {
  const phrases = PHRASES[language];
  const stateName = (of: string, name: string): string =>
    name
      .split("|")
      .map((part) => label(lifecycle, `${of}.${part}`, language))
      .join(phrases.and);
  const condition = ([key, pattern]: readonly [LaneId | typeof STAGE, Pattern]): string => {
    const names = [...pattern.names].map((name) =>
      key === STAGE ? label(lifecycle, name, language) : stateName(key, name),
    );
    const what = key === STAGE ? phrases.the_stage : label(lifecycle, key, language);
    return filled(pattern.negated ? phrases.is_not : phrases.is, { what, names: names.join(phrases.or) });
  };
  const sources = [...spec.sources, ...(spec.settles === null ? [] : [spec.settles])];
  return filled(WORDS[language][why], {
    owner: label(lifecycle, lane.owner, language),
    roles: spec.by.map((role) => label(lifecycle, role, language)).join(phrases.or),
    lane: label(lifecycle, lane.id, language),
    state: stateName(lane.id, state.lanes.get(lane.id) ?? lane.initial),
    sources: sources.map((source) => stateName(lane.id, source)).join(phrases.or),
    conditions: [...spec.conditions]
      .filter(([, { any }]) => !any)
      .map(condition)
      .join(phrases.all_of),
  });
}

function filled(phrase: string, words: Readonly<Record<string, string>>): string {
  return phrase.replace(/\{(\w+)\}/g, (_, word: string) => words[word] ?? "");
}
