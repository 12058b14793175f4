/** Rows of the list: what the service lists of a ticket, or what its documents here amount to, as it is shown. */

import type { Digest, LaneId } from "../lifecycle/ids.ts";
import type { Lifecycle, StageKind } from "../lifecycle/model.ts";
import type { Flag, OpenObligation } from "../lifecycle/result.ts";
import { holders } from "./holds.ts";
import type { Owed, Person, Scalar, TicketId, TicketRow } from "./types.ts";

const CHAT = "chat:"; // begins the subjects of conversations, and no other
const TITLE_CHARACTERS_MAX = 256;

/** What a row says of a ticket, wherever that comes from. */
export interface Face {
  readonly id: TicketId;
  readonly lifecycle: Digest;
  readonly stage: string | null;
  readonly kind: StageKind | null;
  readonly lanes: ReadonlyMap<LaneId, string>;
  readonly flags: ReadonlyMap<LaneId, readonly Flag[]>;
  readonly obligations: readonly Pick<OpenObligation, "owes" | "trigger">[];
  readonly card: ReadonlyMap<string, Scalar>;
  readonly subject: string;
  readonly openedAt: number;
  readonly updatedAt: number;
  readonly position: number;
  readonly duplicateOf: TicketId | null;
}

/** What of a row only this browser knows. */
export interface Marks {
  readonly unread: number;
  readonly isLocal: boolean;
  readonly waiting: number;
  readonly refused: number;
}

export const NO_MARKS: Marks = { unread: 0, isLocal: false, waiting: 0, refused: 0 };

/** A ticket of which nothing is known. */
export function blank(id: TicketId, lifecycle: Digest): Face {
  return {
    id,
    lifecycle,
    stage: null,
    kind: null,
    lanes: new Map(),
    flags: new Map(),
    obligations: [],
    card: new Map(),
    subject: "",
    openedAt: 0,
    updatedAt: 0,
    position: 0,
    duplicateOf: null,
  };
}

/** Read a ticket as the service lists it; what is of another type is as if absent. */
export function faceOf(listed: Readonly<Record<string, unknown>>): Face {
  const id = String(listed["id"]) as TicketId;
  const obligations = Array.isArray(listed["obligations"]) ? listed["obligations"] : [];
  return {
    ...blank(id, String(listed["lifecycle"]) as Digest),
    stage: String(listed["stage"]),
    kind: String(listed["kind"]) as StageKind,
    lanes: table(listed["lanes"], (state) => String(state)),
    flags: table(listed["flags"], (flags) => flags as readonly Flag[]),
    obligations: obligations.map(({ owes, trigger }: Readonly<Record<string, unknown>>) => ({
      owes: table(owes, (names) => names as readonly string[]),
      trigger: Array.isArray(trigger) ? trigger : [],
    })),
    card: table(listed["card"], (value) => value as Scalar),
    subject: String(listed["subject"]),
    openedAt: Date.parse(String(listed["opened_at"])) || 0,
    updatedAt: Date.parse(String(listed["updated_at"])) || 0,
    position: Number(listed["position"]) || 0,
    duplicateOf: (listed["duplicate_of"] ?? null) as TicketId | null,
  };
}

/** Return the row of a ticket. */
export function rowOf(face: Face, lifecycle: Lifecycle | undefined, person: Person, marks: Marks): TicketRow {
  const { id, stage, kind, lanes, flags, card, subject, openedAt, updatedAt, position, duplicateOf } = face;
  const having = [...holders(card)].flatMap(([lane, [first]]) => (first?.actor ? [{ ...first, lane }] : []));
  return {
    id,
    title: text(card.get("title")),
    customer: text(card.get("customer")),
    priority: card.get("priority") ?? null,
    tags: text(card.get("tags"))
      .split(",")
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ""),
    stage,
    kind,
    lanes,
    flags,
    owed: face.obligations.flatMap(({ owes, trigger }) =>
      [...owes].map(([lane, moves]): Owed => ({ lane, moves, department: owner(lifecycle, lane), trigger })),
    ),
    assignees: new Map(having.map(({ lane, actor }) => [lane, actor])),
    isMine: having.some(({ actor }) => actor === person.actor),
    isGiven: having.some(({ actor, how }) => actor === person.actor && how !== "taken"),
    isChat: subject.startsWith(CHAT),
    subject,
    lifecycle: face.lifecycle,
    openedAt,
    updatedAt,
    position,
    duplicateOf,
    ...marks,
  };
}

/** The newest change first; what only this browser has is the newest. */
export function byChange(one: TicketRow, other: TicketRow): number {
  return place(other) - place(one) || (one.id < other.id ? -1 : 1);
}

function place(row: TicketRow): number {
  return row.position === 0 ? Number.MAX_SAFE_INTEGER : row.position;
}

function owner(lifecycle: Lifecycle | undefined, lane: LaneId): string {
  return lifecycle?.lanes.get(lane)?.owner ?? lane;
}

function text(value: Scalar | undefined): string {
  return typeof value === "string" ? value.slice(0, TITLE_CHARACTERS_MAX) : "";
}

function table<K extends string, V>(value: unknown, to: (value: unknown) => V): ReadonlyMap<K, V> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return new Map(entries.map(([key, one]) => [key as K, to(one)]));
}
