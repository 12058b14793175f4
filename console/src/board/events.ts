/**
 * The domain events of `proto/events` as the board reads them: checked facts out of what was told, nothing counted.
 *
 * What has a type that is not known here, or another form, is heard as nothing: a newer service may tell more.
 */

import type { StageKind } from "../lifecycle/model.ts";

/** A domain event as it is told; `subject` is the ticket, `time` is RFC 3339. */
export interface DomainEvent {
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What happened, as far as figures depend on it. */
export type Fact =
  | { readonly type: "opened"; readonly lifecycle: string }
  | { readonly type: "transitioned" }
  | { readonly type: "stage_changed"; readonly stage: string; readonly kind: StageKind }
  | { readonly type: "obligation_raised" | "obligation_overdue" | "obligation_discharged"; readonly owed: Owed }
  | { readonly type: "conversation_bound"; readonly channel: string }
  | { readonly type: "message"; readonly kind: string }
  | { readonly type: "answered"; readonly department: string }
  | { readonly type: "duplicate_marked" | "duplicate_cleared" }
  | { readonly type: "delivery"; readonly state: string };

/** Something that is owed: `key` is the same whenever the same thing is owed again, any of `lanes` may discharge it. */
export interface Owed {
  readonly key: string;
  readonly lanes: readonly string[];
}

/** One event. `fact` is null in a heartbeat, and in an event that no figure depends on. */
export interface Heard {
  readonly position: number;
  readonly ticket: string;
  readonly at: number; // when the service committed it, in milliseconds since the epoch
  readonly fact: Fact | null;
}

type Data = Readonly<Record<string, unknown>>;

/** How each type is read; null for another form than its schema's. */
const READERS: ReadonlyMap<string, (data: Data) => Fact | null> = new Map([
  ["opened", ({ lifecycle }) => (typeof lifecycle === "string" ? { type: "opened", lifecycle } : null)],
  ["transitioned", () => ({ type: "transitioned" })],
  ["stage_changed", stageOf],
  ["obligation_raised", (data) => owedOf("obligation_raised", data)],
  ["obligation_overdue", (data) => owedOf("obligation_overdue", data)],
  ["obligation_discharged", (data) => owedOf("obligation_discharged", data)],
  ["conversation_bound", chatOf],
  ["message", ({ kind }) => (typeof kind === "string" ? { type: "message", kind } : null)],
  [
    "answered",
    ({ department }) => ({ type: "answered", department: typeof department === "string" ? department : "" }),
  ],
  ["duplicate_marked", () => ({ type: "duplicate_marked" })],
  ["duplicate_cleared", () => ({ type: "duplicate_cleared" })],
  ["delivery", ({ state }) => (typeof state === "string" ? { type: "delivery", state } : null)],
]);

const TYPE = /^ticketsync\.ticket\.([a-z_]+)\.v1$/;
const KINDS: ReadonlySet<string> = new Set<StageKind>(["normal", "attention", "compensation", "settled", "final"]);

/** Read what was told; an event of another form than ours, and a heartbeat, say no more than a position. */
export function hear(position: number, event: DomainEvent | null): Heard {
  const at = Date.parse(event?.time ?? "");
  if (event === null || Number.isNaN(at)) {
    return { position, ticket: "", at: 0, fact: null };
  }
  const { subject, type, data } = event;
  return { position, ticket: subject, at, fact: READERS.get(TYPE.exec(type)?.[1] ?? "")?.(data) ?? null };
}

function stageOf({ stage, kind }: Data): Fact | null {
  const shown = kind === "" ? "attention" : kind; // no row fits, and somebody has to look
  return typeof stage === "string" && isKind(shown) ? { type: "stage_changed", stage, kind: shown } : null;
}

function owedOf(
  type: "obligation_raised" | "obligation_overdue" | "obligation_discharged",
  { row, owes }: Data,
): Fact | null {
  return isRecord(owes) ? { type, owed: { key: JSON.stringify([row, owes]), lanes: Object.keys(owes).sort() } } : null;
}

function chatOf({ channel, account }: Data): Fact | null {
  return typeof channel === "string" && typeof account === "string"
    ? { type: "conversation_bound", channel: `${channel}/${account}` }
    : null;
}

function isKind(value: unknown): value is StageKind {
  return typeof value === "string" && KINDS.has(value);
}

function isRecord(value: unknown): value is Data {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
