/** What the board shows of a ledger: immutable figures, without the parts of a page. Pure: `now` is an argument. */

import type { StageKind } from "../lifecycle/model.ts";
import { dayOf, daysBetween } from "./days.ts";
import { DAYS_KEPT, isOpen, type Ledger, type Ticket } from "./ledger.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Where one age of an obligation ends and the next begins, in milliseconds; the last age has no end. */
export const AGES_MS: readonly number[] = [HOUR_MS, 4 * HOUR_MS, DAY_MS, 3 * DAY_MS];

export interface Figures {
  readonly open: number; // tickets in which something is to be done
  readonly overdue: number; // obligations that have been owed for too long
  readonly waiting: number; // customers who wait for an answer
  readonly stages: readonly StageCount[]; // of open tickets, the most first
  readonly flow: readonly Flow[]; // every day from the first that is kept to today
  readonly obligations: readonly Obligations[];
  readonly stuck: readonly Stuck[]; // the longest first
  readonly responses: readonly Responses[];
  readonly channels: readonly ChannelDay[];
}

export interface StageCount {
  readonly stage: string;
  readonly kind: StageKind | null;
  readonly count: number;
}

export interface Flow {
  readonly day: string;
  readonly opened: number;
  readonly ended: number;
  readonly reopened: number;
}

/** What is owed by a lane, or by any of several; `ages` counts by `AGES_MS`, one more than there are bounds. */
export interface Obligations {
  readonly lanes: readonly string[];
  readonly ages: readonly number[];
  readonly overdue: number;
}

/** A ticket in which something is owed that is overdue, or that nobody has touched for long. */
export interface Stuck {
  readonly ticket: string;
  readonly stage: string;
  readonly lanes: readonly string[];
  readonly since: number;
  readonly isOverdue: boolean;
}

export interface Responses {
  readonly day: string;
  readonly department: string;
  readonly count: number;
  readonly withinHour: number;
  readonly medianMs: number;
  readonly p95Ms: number; // nineteen of twenty waited no longer
  readonly longestMs: number;
}

export interface ChannelDay {
  readonly day: string;
  readonly channel: string;
  readonly received: number;
  readonly answered: number;
  readonly other: number;
  readonly failed: number;
}

/** Read the figures of a ledger; a ticket is stuck that owes something and was left alone for `quietMs`. */
export function figuresOf(ledger: Ledger, now: number, quietMs: number): Figures {
  const open = [...ledger.tickets].filter(([, ticket]) => isOpen(ticket));
  const obligations = obligationsOf(ledger, now);
  const days = [...ledger.days].sort(([one], [other]) => compare(one, other));
  return {
    open: open.length,
    overdue: obligations.reduce((sum, { overdue }) => sum + overdue, 0),
    waiting: open.filter(([, ticket]) => ticket.askedAt !== null).length,
    stages: stagesOf(open.map(([, ticket]) => ticket)),
    flow: flowOf(ledger, now),
    obligations,
    stuck: stuckOf(open, now - quietMs),
    responses: days.flatMap(([day, { answers }]) =>
      inOrder(answers).map(([department, waits]) => ({ day, department, ...responsesOf(waits) })),
    ),
    channels: days.flatMap(([day, { channels }]) =>
      inOrder(channels).map(([channel, { received, answered, other, failed }]) => {
        return { day, channel, received, answered, other, failed };
      }),
    ),
  };
}

function responsesOf(waits: readonly number[]): Omit<Responses, "day" | "department"> {
  const sorted = [...waits].sort((one, other) => one - other);
  const within = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  const withinHour = waits.filter((waited) => waited <= HOUR_MS).length;
  return { count: waits.length, withinHour, medianMs: within(0.5), p95Ms: within(0.95), longestMs: within(1) };
}

function stagesOf(open: readonly Ticket[]): StageCount[] {
  const counts = new Map<string, { stage: string; kind: StageKind | null; count: number }>();
  for (const { stage, kind } of open) {
    const known = counts.get(`${kind} ${stage}`) ?? { stage, kind, count: 0 };
    counts.set(`${kind} ${stage}`, { ...known, count: known.count + 1 });
  }
  return [...counts.values()].sort((one, other) => other.count - one.count || compare(one.stage, other.stage));
}

function flowOf(ledger: Ledger, now: number): Flow[] {
  const first = [...ledger.days.keys()].sort()[0];
  if (first === undefined) {
    return [];
  }
  return daysBetween(first, dayOf(now, ledger.zone))
    .slice(-DAYS_KEPT)
    .map((day) => {
      const { opened, ended, reopened } = ledger.days.get(day) ?? { opened: 0, ended: 0, reopened: 0 };
      return { day, opened, ended, reopened };
    });
}

function obligationsOf(ledger: Ledger, now: number): Obligations[] {
  const found = new Map<string, { lanes: readonly string[]; ages: number[]; overdue: number }>();
  for (const { owed } of ledger.tickets.values()) {
    for (const { lanes, since, isOverdue } of owed.values()) {
      const key = lanes.join(" ");
      const known = found.get(key) ?? { lanes, ages: [0, ...AGES_MS.map(() => 0)], overdue: 0 };
      const age = AGES_MS.filter((bound) => now - since >= bound).length;
      known.ages[age] = (known.ages[age] ?? 0) + 1;
      known.overdue += isOverdue ? 1 : 0;
      found.set(key, known);
    }
  }
  return inOrder(found).map(([, obligations]) => obligations);
}

function stuckOf(open: readonly (readonly [string, Ticket])[], quietSince: number): Stuck[] {
  return open
    .map(([ticket, { stage, owed, movedAt }]) => {
      const owing = [...owed.values()];
      const lanes = [...new Set(owing.flatMap((each) => each.lanes))].sort();
      return { ticket, stage, lanes, since: movedAt, isOverdue: owing.some((each) => each.isOverdue) };
    })
    .filter(({ lanes, since, isOverdue }) => isOverdue || (lanes.length > 0 && since <= quietSince))
    .sort((one, other) => one.since - other.since || compare(one.ticket, other.ticket));
}

function inOrder<V>(map: ReadonlyMap<string, V>): (readonly [string, V])[] {
  return [...map].sort(([one], [other]) => compare(one, other));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
