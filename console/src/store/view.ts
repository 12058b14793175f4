/** What a ticket's documents amount to for the person who looks at it. Pure: documents in, values out. */

import type * as Y from "yjs";

import { Fold } from "../lifecycle/fold.ts";
import type { Digest, TransitionId } from "../lifecycle/ids.ts";
import type { Lifecycle } from "../lifecycle/model.ts";
import { decode, type Transition } from "../lifecycle/transition.ts";
import { type Entry, entriesOf, type Fate, fatesOf, mediaOf, messagesOf, texts, textsByKey } from "./content.ts";
import type { Upload } from "./database.ts";
import type { Message, Part } from "./message.ts";
import type { ChatMessage, EntryDelivery, Media, MessagePart, RefusedWork, Step, TicketId } from "./types.ts";

const UPLOADED = /^sha256:([0-9a-f]{64})$/;

/** The fold of the log and of the own department's submissions, brought up to date when it is asked for. */
export class Believed {
  readonly #lifecycle: Lifecycle;
  readonly #ticket: TicketId;
  #fold: Fold;
  #held: ReadonlySet<string> = new Set();

  constructor(lifecycle: Lifecycle, ticket: TicketId) {
    this.#lifecycle = lifecycle;
    this.#ticket = ticket;
    this.#fold = new Fold(lifecycle, ticket);
  }

  /** Own moves show at once; those that the service refused do not. A refusal of what was held makes the fold anew. */
  fold(log: Y.Doc, entries: readonly Entry[]): Fold {
    const refused = textsByKey(log, "refused");
    const own = entries.filter(({ root, id }) => root === "transitions" && !refused.has(id));
    const records = new Set([...texts(log, "log"), ...own.map(({ record }) => record)]);
    if (![...this.#held].every((record) => records.has(record))) {
      this.#fold = new Fold(this.#lifecycle, this.#ticket);
      this.#held = new Set();
    }
    for (const record of [...records].filter((one) => !this.#held.has(one)).sort()) {
      const made = decode(new TextEncoder().encode(record));
      if (typeof made !== "string") {
        this.#fold.add(made);
      }
    }
    this.#held = records;
    return this.#fold;
  }
}

/** An own entry that neither the log nor the conversation holds; `code` says that the service has refused it. */
export type Undelivered = Entry & { readonly code: string | null };

/** Return what `actor` submitted and is not delivered, each once. */
export function undelivered(log: Y.Doc, talk: Y.Doc | null, submit: Y.Doc, actor: string): readonly Undelivered[] {
  const refused = textsByKey(log, "refused");
  const delivered = new Set([...texts(log, "log"), ...(talk === null ? [] : texts(talk, "messages"))]);
  const own = entriesOf(submit).filter(
    (entry) =>
      (entry.root === "transitions" ? entry.made.actor : entry.made.author) === actor && !delivered.has(entry.record),
  );
  return [...new Map(own.map((entry) => [entry.id, { ...entry, code: refused.get(entry.id) ?? null }])).values()];
}

/** Return every transition of the view as people expect to read it; clocks may be wrong, and decide nothing. */
export function historyOf(fold: Fold, waiting: ReadonlySet<string>, actor: string): readonly Step[] {
  const { status, ticket } = fold.state();
  // The opening belongs to no lane, so the fold has no status of it.
  const opening = ticket === null || !fold.has(ticket) ? [] : [[ticket, { status: "effective" }] as const];
  return [...opening, ...[...status].filter(([id]) => id !== ticket)]
    .map(([id, found]): Step => {
      const { lane, name, actor: by, roles, at } = fold.transition(id);
      const delivery = waiting.has(id) ? "here" : "saved";
      return { id, lane, name, actor: by, roles, at, status: found, isOwn: by === actor, delivery };
    })
    .sort((one, other) => one.at - other.at || (one.id < other.id ? -1 : 1));
}

/** Return the conversation in the order of its time, with own answers that are under way. */
export function chatOf(
  talk: Y.Doc | null,
  own: readonly Undelivered[],
  uploads: readonly Upload[],
  actor: string,
): readonly ChatMessage[] {
  const admitted = talk === null ? [] : messagesOf(talk);
  const fates = talk === null ? new Map<string, Fate>() : fatesOf(talk);
  const media = talk === null ? new Map<string, Media>() : mediaOf(talk);
  const waiting = own.flatMap((entry) => (entry.root === "messages" && entry.code === null ? [entry.made] : []));
  const shown = new Map<string, ChatMessage>();
  const show = (message: Message, delivery: EntryDelivery): void => {
    const parts = message.parts.map((part, index) => partOf(part, message, `${message.id}/${index}`, fates, media));
    const { id, kind, author, at } = message;
    shown.set(id, { id, kind, author, at, parts, isOwn: author === actor, delivery });
  };
  for (const message of waiting) {
    show(message, "here");
  }
  for (const message of admitted) {
    show(message, "saved");
  }
  for (const { id, at, name, text } of uploads.filter(({ code }) => code === undefined)) {
    const file: MessagePart = { type: "file", name, media: null, delivery: null };
    const parts: MessagePart[] = [...(text === "" ? [] : [{ type: "text", text, delivery: null } as const]), file];
    shown.set(id, { id, kind: "agent", author: actor, at, parts, isOwn: true, delivery: "here" });
  }
  return [...shown.values()].sort((one, other) => one.at - other.at || (one.id < other.id ? -1 : 1));
}

/** Return what was refused and nobody has looked after. */
export function refusedOf(own: readonly Undelivered[], dismissed: ReadonlySet<string>): readonly RefusedWork[] {
  return own.flatMap((entry) =>
    entry.code === null || dismissed.has(entry.id)
      ? []
      : [
          {
            id: entry.id,
            kind: entry.root === "messages" ? ("message" as const) : kindOfTransition(entry.made),
            label: entry.root === "messages" ? textOf(entry.made) : `${entry.made.lane}.${entry.made.name}`,
            code: entry.code,
            canAgain: true,
          },
        ],
  );
}

function kindOfTransition(made: Transition): "opening" | "transition" {
  return made.after.length === 0 ? "opening" : "transition";
}

/** What a person reads of a message. */
export function textOf(message: Message): string {
  return message.parts.map((part) => part["text"] ?? `[${part.type}]`).join(" ");
}

/** The newest that is shown, which a transition names in `after`. */
export function frontierOf(fold: Fold): readonly TransitionId[] {
  return fold.naming(fold.frontier());
}

function refusalOf(shown: Media | undefined): { readonly refusal?: string } {
  return shown !== undefined && "code" in shown ? { refusal: shown.code } : {};
}

function partOf(
  part: Part,
  message: Message,
  key: string,
  fates: ReadonlyMap<string, Fate>,
  media: ReadonlyMap<string, Media>,
): MessagePart {
  const delivery = fates.get(key) ?? null;
  const field = (name: string): string => part[name] ?? "";
  switch (part.type) {
    case "text":
      return { type: "text", text: field("text"), ...refusalOf(media.get(key)), delivery };
    case "location":
      return {
        type: "location",
        latitude: field("latitude"),
        longitude: field("longitude"),
        label: field("label"),
        delivery,
      };
    case "event":
      return { type: "event", event: field("event"), delivery };
    default: {
      const digest = message.origin === null ? UPLOADED.exec(field("ref"))?.[1] : undefined;
      const uploaded = digest === undefined ? null : { digest: digest as Digest, size: null, type: null };
      // The decoder lets no other type through.
      return { type: part.type as "file", name: field("name"), media: media.get(key) ?? uploaded, delivery };
    }
  }
}
