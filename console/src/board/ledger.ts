/**
 * What the board remembers of the events that it heard, as far as its figures need it: pure, and no I/O.
 *
 * A ledger is plain data that a browser's database keeps whole, its position with it, so that whoever resumes from
 * there counts nothing twice and misses nothing. It is bounded by the open tickets and by the answers of `DAYS_KEPT`.
 */

import type { StageKind } from "../lifecycle/model.ts";
import { dayOf } from "./days.ts";
import type { Fact, Heard } from "./events.ts";

export const DAYS_KEPT = 90; // a quarter: what people compare with; some 1 kB a day

const FORM = 2; // of what is kept: another one is not read, and its events are heard anew
const DAY_MS = 86_400_000;

/** A department's view of its tickets, by what it heard up to `position`; its days are those of `zone`. */
export interface Ledger {
  readonly form: number;
  readonly zone: string;
  position: number;
  readonly tickets: Map<string, Ticket>;
  readonly days: Map<string, Day>; // by `2026-11-26`
}

/** A ticket that is open, or was within the last days. Times are milliseconds since the epoch. */
export interface Ticket {
  lifecycle: string; // empty until its opening is heard
  stage: string;
  kind: StageKind | null; // null until a stage is heard: of a ticket that was forgotten, or not yet opened
  channel: string; // empty: it is no chat
  movedAt: number; // when anybody last moved it or said something in it
  askedAt: number | null; // since when the customer waits for an answer
  isDuplicate: boolean; // its work goes on in another ticket
  readonly owed: Map<string, Owing>;
}

export interface Owing {
  readonly lanes: readonly string[];
  readonly since: number;
  isOverdue: boolean; // the service found that it has been owed for too long
}

/** What was counted on one day. */
export interface Day {
  opened: number;
  ended: number;
  reopened: number;
  /** How long customers waited for each answer, in milliseconds, by department; empty: written on the platform itself. */
  readonly answers: Map<string, number[]>;
  readonly channels: Map<string, Traffic>;
}

/** Messages of a channel; `other` is what no person said, `failed` the parts of answers that did not get through. */
export interface Traffic {
  received: number;
  answered: number;
  other: number;
  failed: number;
}

/** Begin a ledger that has heard nothing. */
export function newLedger(zone: string): Ledger {
  return { form: FORM, zone, position: 0, tickets: new Map(), days: new Map() };
}

/** Tell whether something that was kept can be gone on with. */
export function isLedger(kept: Ledger | undefined, zone: string): kept is Ledger {
  return kept?.form === FORM && kept.zone === zone;
}

/** Tell whether something is to be done in a ticket: no duplicate, and its stage is neither settled nor final. */
export function isOpen({ kind, isDuplicate }: Ticket): boolean {
  return kind !== null && !isEnd(kind) && !isDuplicate;
}

function isEnd(kind: StageKind | null): boolean {
  return kind === "settled" || kind === "final";
}

/** Take what was heard into the ledger, in place; what it has already heard changes nothing. */
export function follow(ledger: Ledger, heard: Heard): void {
  if (heard.position <= ledger.position) {
    return;
  }
  ledger.position = heard.position;
  if (heard.fact !== null) {
    take(ledger, heard, heard.fact);
  }
}

function take(ledger: Ledger, { ticket: id, at }: Heard, fact: Fact): void {
  const ticket = entry(ledger.tickets, id, () => newTicket(at));
  const day = dayAt(ledger, at);
  switch (fact.type) {
    case "opened":
      day.opened += 1;
      ticket.lifecycle = fact.lifecycle;
      ticket.movedAt = at;
      break;
    case "transitioned":
      ticket.movedAt = at;
      break;
    case "stage_changed":
      enter(ticket, day, fact.stage, fact.kind);
      break;
    case "obligation_raised":
      ticket.owed.set(fact.owed.key, { lanes: fact.owed.lanes, since: at, isOverdue: false });
      break;
    case "obligation_overdue": {
      const owing = ticket.owed.get(fact.owed.key);
      if (owing !== undefined) {
        owing.isOverdue = true;
      }
      break;
    }
    case "obligation_discharged":
      ticket.owed.delete(fact.owed.key);
      break;
    case "conversation_bound":
      ticket.channel = fact.channel;
      break;
    case "message":
      say(ticket, traffic(day, ticket), fact.kind, at);
      break;
    case "answered":
      answer(ticket, day, fact.department, at);
      break;
    case "duplicate_marked":
    case "duplicate_cleared":
      ticket.isDuplicate = fact.type === "duplicate_marked";
      break;
    case "delivery":
      traffic(day, ticket).failed += fact.state === "failed" ? 1 : 0;
      break;
    default:
      fact satisfies never;
  }
}

function enter(ticket: Ticket, day: Day, stage: string, kind: StageKind): void {
  const wasEnded = isEnd(ticket.kind);
  ticket.stage = stage;
  ticket.kind = kind;
  if (isEnd(kind) && !wasEnded) {
    day.ended += 1;
    ticket.askedAt = null; // it ended without an answer, so nobody waits any more
  } else if (wasEnded && !isEnd(kind)) {
    day.reopened += 1;
  }
}

function say(ticket: Ticket, said: Traffic, kind: string, at: number): void {
  if (kind === "customer") {
    said.received += 1;
    ticket.askedAt ??= at;
    ticket.movedAt = at;
  } else if (kind === "agent") {
    said.answered += 1;
    ticket.movedAt = at;
  } else {
    said.other += 1;
  }
}

function answer(ticket: Ticket, day: Day, department: string, at: number): void {
  if (ticket.askedAt === null) {
    return; // the customer did not wait: somebody wrote first, or once more
  }
  entry(day.answers, department, (): number[] => []).push(Math.max(0, at - ticket.askedAt));
  ticket.askedAt = null;
}

function traffic(day: Day, ticket: Ticket): Traffic {
  return entry(day.channels, ticket.channel, () => ({ received: 0, answered: 0, other: 0, failed: 0 }));
}

function newTicket(at: number): Ticket {
  const nothing = { lifecycle: "", stage: "", kind: null, channel: "", askedAt: null, isDuplicate: false };
  return { ...nothing, movedAt: at, owed: new Map() };
}

function dayAt(ledger: Ledger, at: number): Day {
  return entry(ledger.days, dayOf(at, ledger.zone), () => {
    forget(ledger, at - DAYS_KEPT * DAY_MS);
    return { opened: 0, ended: 0, reopened: 0, answers: new Map(), channels: new Map() };
  });
}

/** A ticket that has long ended is forgotten with its days; if it comes back, it is as one whose chat nobody knows. */
function forget(ledger: Ledger, before: number): void {
  const first = dayOf(before, ledger.zone);
  for (const day of ledger.days.keys()) {
    if (day <= first) {
      ledger.days.delete(day);
    }
  }
  for (const [id, ticket] of ledger.tickets) {
    if (!isOpen(ticket) && ticket.owed.size === 0 && ticket.movedAt < before) {
      ledger.tickets.delete(id);
    }
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) {
    return known;
  }
  const made = make();
  map.set(key, made);
  return made;
}
