/**
 * What views need of the data of a console, and nothing of how it is kept: read `createConsole` in `console.ts` first.
 *
 * Whatever a view shows is a snapshot: an immutable value that is replaced, and never changed. What comes from documents
 * was decoded with checks; what others wrote wrongly is absent. All text is somebody's text, never markup.
 */

import type { Digest, LaneId, TransitionId } from "../lifecycle/ids.ts";
import type { Language, Lifecycle, PayloadType, StageKind } from "../lifecycle/model.ts";
import type { Flag, OpenObligation, Status } from "../lifecycle/result.ts";

/** Something that changes; fit for `useSyncExternalStore(readable.subscribe, readable.snapshot)`. */
export interface Readable<T> {
  /** What is so now; the same object until it changes. */
  readonly snapshot: () => T;
  /** Hear of every change; returns how to hear no more. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** A ticket's id is the id of its opening. */
export type TicketId = TransitionId;

/** What a card or a form holds under a key. */
export type Scalar = string | number | boolean | null;

/** Why something was refused or does not work: a stable code, and a sentence of the service where it gave one. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

// ---------------------------------------------------------------------------------------------------------------- person

/** Who works here, as the token says. */
export interface Person {
  readonly actor: string;
  readonly department: string;
  readonly roles: readonly string[];
}

/**
 * Who is signed in.
 *
 * `signed_out`: nobody; show the sign-in. `signed_in`: also when offline, with what is known from last time. `expired`:
 * the service asks for a sign-in; everything stays readable and writable, and goes out after it. After `signIn` of the
 * same person all goes on. `changed`: by now the browser is another person's, whose console is their own; show this one
 * no longer.
 */
export type Session =
  | { readonly status: "signed_out" }
  | { readonly status: "signed_in" | "expired" | "changed"; readonly person: Person };

/** Where a person's tokens come from, for whoever asks the service something. */
export interface Tokens {
  /** Return a token that is good for a while; throws a `StoreError` (`signed_out`, `offline`) if there is none. */
  token(): Promise<string>;
  /** Say that the service did not take the token. */
  refused(): void;
}

/** How the service is reached. `stopped`: this page is too old for it, or may not connect; `problem` says why. */
export interface Connection {
  readonly status: "offline" | "connecting" | "online" | "stopped";
  readonly problem: Problem | null;
}

// ----------------------------------------------------------------------------------------------------------------- saved

/**
 * Where work stands. `here`: all of it is in this browser (`saved`), on its way there (`saving`), or the browser does not
 * take it (`failed`: a full disk). `waiting` counts what the service has not acknowledged, whatever the socket does;
 * `refused` what it has refused and nobody has looked after.
 */
export interface Saved {
  readonly here: "saved" | "saving" | "failed";
  readonly waiting: number;
  readonly refused: number;
}

// ------------------------------------------------------------------------------------------------------------------ list

/** Something that is owed: any one of `moves` discharges it. */
export interface Owed {
  readonly lane: LaneId;
  readonly moves: readonly string[]; // names of transitions of the lane, or `review`
  readonly department: string; // the lane's owner
  readonly trigger: readonly TransitionId[]; // what caused it
}

/** One row of the list. Times are milliseconds since the epoch; 0 where nobody knows. */
export interface TicketRow {
  readonly id: TicketId;
  readonly title: string;
  readonly customer: string;
  readonly priority: Scalar;
  readonly tags: readonly string[];
  readonly stage: string | null; // null where the lifecycle is not here yet
  readonly kind: StageKind | null;
  readonly lanes: ReadonlyMap<LaneId, string>;
  readonly flags: ReadonlyMap<LaneId, readonly Flag[]>;
  /** One entry for each lane that an obligation names. */
  readonly owed: readonly Owed[];
  readonly assignees: ReadonlyMap<LaneId, string>; // who has which lane
  readonly isMine: boolean; // a lane of it is with the person who is signed in
  readonly isGiven: boolean; // and he has not taken it himself
  readonly unread: number; // messages of the customer since it was last read here
  readonly isChat: boolean; // a customer is at the other end
  readonly subject: string;
  readonly lifecycle: Digest;
  readonly openedAt: number;
  readonly updatedAt: number;
  readonly position: number; // 0 while only this browser knows the ticket
  readonly duplicateOf: TicketId | null; // the ticket in which the work of this one goes on
  readonly isLocal: boolean; // opened here, and not yet on the service
  readonly waiting: number; // what was done here and the service has not acknowledged
  readonly refused: number;
}

/** The list. `isComplete`: the service has told all at least once. */
export interface TicketList {
  readonly rows: readonly TicketRow[]; // newest change first
  readonly isComplete: boolean;
}

// ---------------------------------------------------------------------------------------------------------------- ticket

/** Why a move is not enabled: not a role held, not from this state, not under these conditions, another's lane. */
export type NotEnabled = "lane_owner" | "role" | "from" | "if" | "read_only" | "not_there_yet";

/** A move that the lifecycle declares, in the ticket as it is shown. */
export interface Move {
  readonly lane: LaneId;
  readonly name: string;
  readonly to: string; // the state that the lane gets
  readonly payload: ReadonlyMap<string, PayloadType>; // the fields that it takes, all of them or none
  readonly by: readonly string[];
  readonly why: NotEnabled | null; // null: it is enabled
  readonly ends: string | null; // the stage, settled or final, that an enabled move brings a ticket to which goes on
  /** Why it is not enabled, a sentence in each language; empty if it is. */
  readonly reason: Readonly<Record<Language, string>>;
}

/** A transition of the ticket and what became of it. */
export interface Step {
  readonly id: TransitionId;
  readonly lane: LaneId;
  readonly name: string; // `open` for the opening
  readonly actor: string;
  readonly roles: readonly string[];
  readonly at: number; // what its author's clock said
  readonly status: Status;
  readonly isOwn: boolean; // made by the person who is signed in
  readonly delivery: EntryDelivery;
}

/** Where an own entry stands; what others made is `saved`. */
export type EntryDelivery = "here" | "saved" | "refused";

/** What the service refused, or what else did not get through, and the way out. */
export interface RefusedWork {
  readonly id: string; // what `again` and `dismiss` take
  readonly kind: "transition" | "message" | "opening" | "card" | "form" | "attachment";
  readonly label: string; // `sales.sign`, the message's text, or the fields
  readonly code: string;
  /** Whether `again` can help: it does the same as something new, in the ticket as it is shown now. */
  readonly canAgain: boolean;
}

/** The content of a part, or why there is none. */
export type Media =
  | { readonly digest: Digest; readonly size: number | null; readonly type: string | null }
  | { readonly code: string };

/** A part of a message; of `image`, `voice`, `video` and `file` the content is `media` as soon as it is known. */
export type MessagePart = (
  | { readonly type: "text"; readonly text: string; readonly refusal?: string } // the code with which it was not sent
  | { readonly type: "image" | "voice" | "video" | "file"; readonly name: string; readonly media: Media | null }
  | { readonly type: "location"; readonly latitude: string; readonly longitude: string; readonly label: string }
  | { readonly type: "event"; readonly event: string }
) & { readonly delivery: "sent" | "delivered" | "read" | "failed" | null };

/** A message of the conversation. */
export interface ChatMessage {
  readonly id: string;
  readonly kind: "customer" | "agent" | "system" | "delivery" | "unknown";
  readonly author: string;
  readonly at: number;
  readonly parts: readonly MessagePart[];
  readonly isOwn: boolean;
  readonly delivery: EntryDelivery; // of the entry; what became of each part with the customer, the part says
}

/** Somebody who has a lane: `since` and `how` (`taken`, or the rule) where they took it or were given it. */
export interface Holder {
  readonly actor: string;
  readonly since: number | null;
  readonly how: string | null;
  readonly has: boolean; // false: took it too, without having seen the other one
}

/** Somebody who looks at the ticket now. */
export interface Present {
  readonly actor: string;
  readonly department: string;
  readonly isHere: boolean; // another tab of the person who is signed in
}

/**
 * The form of a lane that this person may read. The notes are a `Y.Text`, given by `OpenTicket.notes`; `notesLength` says
 * how long they are.
 */
export interface Form {
  readonly lane: LaneId;
  readonly canWrite: boolean;
  readonly fields: ReadonlyMap<string, Scalar>;
  readonly notesLength: number;
  /** What the lane's transitions carried, by the digest that a transition names. */
  readonly payloads: ReadonlyMap<Digest, ReadonlyMap<string, string | number>>;
}

/** A ticket as it is here, with own work that is not delivered. */
export interface TicketView {
  readonly row: TicketRow;
  /** `loading`: not read from this browser yet; `absent`: neither here nor on the service, or not for this person. */
  readonly status: "loading" | "ready" | "absent";
  readonly lifecycle: Lifecycle | null; // null: not here yet
  readonly lanes: ReadonlyMap<LaneId, string>;
  readonly flags: ReadonlyMap<LaneId, readonly Flag[]>;
  readonly stage: string | null;
  readonly kind: StageKind | null;
  readonly obligations: readonly OpenObligation[];
  /** Every move that the lifecycle declares, in the order of the file, the own department's lanes first. */
  readonly moves: readonly Move[];
  /** Every transition, oldest first. Those to be shown kindly are overtaken, contested or inert (`status`). */
  readonly history: readonly Step[];
  readonly refused: readonly RefusedWork[];
  readonly card: ReadonlyMap<string, Scalar>;
  readonly holders: ReadonlyMap<LaneId, readonly Holder[]>; // the one who has the lane first
  readonly messages: readonly ChatMessage[]; // oldest first
  readonly canConverse: boolean; // the department takes part in the conversation
  readonly forms: readonly Form[];
  readonly present: readonly Present[];
  /** What of this ticket is not acknowledged, and where it stands. */
  readonly saved: Saved;
  /** Why documents of it do not sync, by the document's kind; none if all is well. */
  readonly problems: readonly Problem[];
}

/** What people do with text that several write at once; a `Y.Text` has it. */
export interface SharedText {
  readonly length: number;
  insert(at: number, text: string): void;
  delete(at: number, length: number): void;
  toString(): string;
  observe(
    listener: (event: { readonly delta: readonly object[] }, transaction: { readonly local: boolean }) => void,
  ): void;
  unobserve(
    listener: (event: { readonly delta: readonly object[] }, transaction: { readonly local: boolean }) => void,
  ): void;
}

/**
 * A ticket that is open. Every action resolves when what it did is durable in this browser; whether the service has it,
 * `view` says. Rejects with a `StoreError`, whose `code` says why, and then has done nothing.
 */
export interface OpenTicket {
  readonly id: TicketId;
  readonly view: Readable<TicketView>;
  /** Say in sentences why the ticket is where it is, and who has what. */
  explain(language: Language): readonly string[];
  /** The notes of a lane's form, null if this person may not read it; who may only read it does not edit it. */
  notes(lane: string): SharedText | null;
  /** Make a transition, judged in what is shown now. `payload` has exactly the fields that the move declares. */
  move(lane: string, name: string, payload?: Readonly<Record<string, string | number>>): Promise<TransitionId>;
  /** Answer the customer. */
  say(text: string): Promise<string>;
  /** Answer with a file, at once or as soon as there is a connection; `text` goes with it. */
  attach(file: Blob, name: string, text?: string): Promise<void>;
  /** Add a line to a form's notes. */
  note(lane: string, text: string): Promise<void>;
  /** Change fields of the card (`title`, `customer`, `priority`, `tags`, `assignee.LANE`); null removes one. */
  setCard(fields: Readonly<Record<string, Scalar>>): Promise<void>;
  /** Change fields of a form; null removes one. */
  setForm(lane: string, fields: Readonly<Record<string, Scalar>>): Promise<void>;
  /** Take a lane of the own department, from whoever is seen to have it. */
  take(lane: string): Promise<void>;
  /** Hand a lane to somebody of its department, whoever's lane it is; null to nobody. */
  transfer(lane: string, actor: string | null): Promise<void>;
  /** Do refused work again, as something new. */
  again(id: string): Promise<void>;
  /** Look after refused work by letting it go. */
  dismiss(id: string): Promise<void>;
  /** Say that the conversation was read up to now. */
  markRead(): Promise<void>;
  /** Bring the content of a part, to be shown as an object URL; its type is what its own bytes say. */
  media(digest: Digest): Promise<Blob>;
  /** Bring it unless it is larger; null where it is. */
  mediaUpTo(digest: Digest, bytesMax: number): Promise<Blob | null>;
  /** Hold it open no longer; what it still has to deliver is delivered all the same. */
  release(): void;
}

/** What was not done, and why. */
export class StoreError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "StoreError";
    this.code = code;
  }
}

// --------------------------------------------------------------------------------------------------------------- console

/** A reply that the department has ready, in each language that it has. */
export interface Reply {
  readonly id: string;
  readonly title: Readonly<Partial<Record<Language, string>>>;
  readonly text: Readonly<Partial<Record<Language, string>>>;
}

/** Somebody of the own department; `name` is what customers are shown, empty where there is none. */
export interface Colleague {
  readonly actor: string;
  readonly name: string;
}

/** Whether an answer would be sent now; times are RFC 3339. Null where the ticket is of no chat. */
export interface Writing {
  readonly known: boolean;
  readonly may_write: boolean;
  readonly closes_at: string | null;
  readonly left: number | null;
  /** The event by which the platform has ended the session since the customer last wrote. */
  readonly over: string | null;
}

/** What a person's console knows and does. One a page; `close` it before another one is made. */
export interface Console {
  readonly session: Readable<Session>;
  /** This person's tokens, and never another's. */
  readonly tokens: Tokens;
  readonly connection: Readable<Connection>;
  readonly saved: Readable<Saved>;
  readonly tickets: Readable<TicketList>;
  /** The lifecycles that are here, with their labels, by digest. */
  readonly lifecycles: Readable<ReadonlyMap<Digest, Lifecycle>>;
  /** The lifecycle of new tickets; null until the service was reached once. */
  readonly defaultLifecycle: Readable<Lifecycle | null>;
  /** The transitions of a ticket that this person made in this browser. */
  made(ticket: TicketId): Promise<ReadonlySet<TransitionId>>;
  /** Open a ticket's documents; `release` it when its page is left. */
  open(id: string): OpenTicket;
  /** Open a new ticket, offline if need be; resolves with its id when it is durable here. */
  create(title: string, fields?: Readonly<Record<string, Scalar>>): Promise<TicketId>;
  /** The replies that the department has ready, from the service; `ticket` fills in its names. */
  replies(ticket?: string): Promise<readonly Reply[]>;
  /** Whom the service knows of the own department. */
  colleagues(): Promise<readonly Colleague[]>;
  /** Whether an answer would be sent now, from the service. */
  writing(ticket: string): Promise<Writing | null>;
  /** The customer's other tickets, from the service. */
  past(ticket: string): Promise<readonly TicketRow[]>;
  /** Say that another ticket is of the same customer. */
  link(ticket: string, other: string): Promise<void>;
  /** Say that a ticket is a duplicate of another one, in which its work and its conversation go on from now on. */
  markDuplicate(ticket: string, of: string): Promise<void>;
  /** Say that a ticket is no duplicate. */
  clearDuplicate(ticket: string): Promise<void>;
  /** Say that a sign-in has just succeeded: whoever waits for a token goes on. */
  signedIn(): Promise<void>;
  /** Say that another tab may have signed out, or somebody else in: whoever works here no longer leaves. */
  lookAgain(): void;
  /** Say that the browser's network has gone or come back: what is open over it is begun anew, at once. */
  networkChanged(): void;
  /** Sign out; with `forget` everything that is kept here for this person goes, undelivered work included. */
  signOut(options: { readonly forget: boolean }): Promise<void>;
  /** What was only in copies that a restored service does not take; one JSON text each. */
  dropped(): Promise<readonly string[]>;
  close(): Promise<void>;
}
