import type { Digest, LaneId } from "../../src/lifecycle/ids.ts";
import type { TicketId, TicketRow } from "../../src/store/types.ts";

/** A row of the list, with what a test needs of it. */
export function row(changed: Partial<TicketRow> = {}): TicketRow {
  return {
    id: "a".repeat(52) as TicketId,
    title: "Fibre to the second floor",
    customer: "王芳",
    priority: null,
    tags: [],
    stage: "presale",
    kind: "normal",
    lanes: new Map(),
    flags: new Map(),
    owed: [],
    assignees: new Map(),
    isMine: false,
    isGiven: false,
    isChat: false,
    unread: 0,
    subject: "",
    lifecycle: "d" as Digest,
    openedAt: 1,
    updatedAt: 1,
    position: 1,
    duplicateOf: null,
    isLocal: false,
    waiting: 0,
    refused: 0,
    ...changed,
  };
}

export const SALES = "sales" as LaneId;
