/** What a ticket shows, worked out from its folder: each part again only when what it is made of has changed. */

import type { Awareness } from "y-protocols/awareness";
import type * as Y from "yjs";

import type { Fold } from "../lifecycle/fold.ts";
import type { Lifecycle } from "../lifecycle/model.ts";
import { NOTHING, type TicketState } from "../lifecycle/result.ts";
import { converses, documentName, formsOf, kindOf, owns } from "./access.ts";
import { entriesOf, payloadsOf, scalars } from "./content.ts";
import type { Upload } from "./database.ts";
import type { Desk } from "./desk.ts";
import type { Folder } from "./folder.ts";
import { holders } from "./holds.ts";
import { movesOf } from "./moves.ts";
import { remembered } from "./observable.ts";
import type { Paper } from "./paper.ts";
import { blank, type Face, rowOf } from "./rows.ts";
import type { Form, Person, Present, RefusedWork, Saved, Scalar, TicketId, TicketView } from "./types.ts";
import { Believed, chatOf, historyOf, refusedOf, type Undelivered, undelivered } from "./view.ts";

export class Shown {
  readonly #folder: Folder;
  readonly #desk: Desk;
  #believed: { readonly lifecycle: Lifecycle; readonly of: Believed } | null = null;

  constructor(folder: Folder, desk: Desk) {
    this.#folder = folder;
    this.#desk = desk;
  }

  /** What the transitions amount to; null while the lifecycle is not here. */
  fold(): Fold | null {
    const { lifecycle } = this.#folder;
    if (lifecycle === null) {
      return null;
    }
    if (this.#believed?.lifecycle !== lifecycle) {
      this.#believed = { lifecycle, of: new Believed(lifecycle, this.#folder.id) };
    }
    return this.#folded(this.#believed.of, this.#revisions("log", "submit"));
  }

  /** The card as it stands. */
  card(): ReadonlyMap<string, Scalar> {
    return this.#card(this.#revisions("card"));
  }

  /** All of it. */
  view(status: TicketView["status"]): TicketView {
    if (status !== "ready") {
      return this.#empty(status);
    }
    const person = this.#desk.person();
    const { lifecycle, uploads, problems } = this.#folder;
    const fold = this.fold();
    const state = fold?.state() ?? NOTHING;
    const own = this.#own(this.#revisions("log", "submit", "talk"), person.actor);
    const refused = this.#refused(own);
    const saved = this.#saved(own, refused);
    const { lanes, flags, stage, kind, obligations } = state;
    const row = this.#row(this.#face(state, this.card()), lifecycle ?? undefined, saved.waiting, refused.length);
    return {
      row,
      status,
      lifecycle,
      lanes,
      flags,
      stage,
      kind,
      obligations: row.duplicateOf === null ? obligations : NOTHING.obligations,
      moves: lifecycle === null ? [] : this.#moves(lifecycle, state, person),
      history: fold === null ? [] : this.#history(fold, state, own, person.actor),
      refused,
      card: this.card(),
      holders: holders(this.card()),
      messages: this.#chat(this.#revisions("talk", "submit", "log"), own, uploads, person.actor),
      canConverse: lifecycle !== null && converses(person, lifecycle),
      forms: lifecycle === null ? [] : this.#forms(lifecycle, person),
      present: this.#present(person),
      saved,
      problems: [...problems].map(([name, { code, message }]) => ({ code, message: `${kindOf(name)}: ${message}` })),
    };
  }

  /** Who is here, as the card's paper knows it. */
  awareness(): Awareness | null {
    return this.#paper("card")?.awareness ?? null;
  }

  readonly #folded = remembered(
    (believed: Believed, _revisions: string): Fold =>
      believed.fold(this.#folder.doc("log"), entriesOf(this.#folder.doc("submit"))),
  );
  readonly #card = remembered((_revisions: string) => scalars(this.#folder.doc("card"), "card"));
  readonly #own = remembered((_revisions: string, actor: string) =>
    undelivered(this.#folder.doc("log"), this.#talk(), this.#folder.doc("submit"), actor),
  );
  readonly #moves = remembered(movesOf);
  readonly #history = remembered((fold: Fold, _state: TicketState, own: readonly Undelivered[], actor: string) =>
    historyOf(fold, new Set(own.map(({ id }) => id)), actor),
  );
  readonly #chat = remembered(
    (_revisions: string, own: readonly Undelivered[], uploads: readonly Upload[], actor: string) =>
      chatOf(this.#talk(), own, uploads, actor),
  );
  readonly #face = remembered((state: TicketState, card: ReadonlyMap<string, Scalar>): Face => {
    const { id, known } = this.#folder;
    const listed = this.#desk.tickets.face(id) ?? blank(id, (known?.lifecycle ?? "") as Face["lifecycle"]);
    const { ticket, stage, kind, lanes, flags, obligations } = state;
    // As long as nothing has arrived, what the service lists is all that is known.
    const told = ticket === null ? {} : { stage, kind, lanes, flags, obligations };
    return { ...listed, ...told, ...(card.size === 0 ? {} : { card }) };
  });
  readonly #rowed = remembered(
    (
      face: Face,
      lifecycle: Lifecycle | undefined,
      person: Person,
      unread: number,
      isLocal: boolean,
      waiting: number,
      refused: number,
    ) => rowOf(face, lifecycle, person, { unread, isLocal, waiting, refused }),
  );

  #row(face: Face, lifecycle: Lifecycle | undefined, waiting: number, refused: number): TicketView["row"] {
    const isLocal = this.#folder.known?.isListed === false;
    const unread = this.#desk.tickets.unread(this.#folder.id);
    const listed = this.#desk.tickets.face(this.#folder.id);
    const newest = listed === null ? face : this.#newest(face, listed.position, listed.updatedAt, listed.duplicateOf);
    return this.#rowed(newest, lifecycle, this.#desk.person(), unread, isLocal, waiting, refused);
  }

  readonly #newest = remembered(
    (face: Face, position: number, updatedAt: number, duplicateOf: TicketId | null): Face => ({
      ...face,
      position,
      updatedAt,
      duplicateOf,
      obligations: duplicateOf === null ? face.obligations : [],
    }),
  );

  #empty(status: TicketView["status"]): TicketView {
    const { id } = this.#folder;
    const face = this.#desk.tickets.face(id) ?? blank(id as TicketId, "" as Face["lifecycle"]);
    const lifecycle = this.#desk.lifecycles.get(face.lifecycle);
    return {
      row: this.#row(face, lifecycle ?? undefined, 0, 0),
      status,
      lifecycle,
      lanes: face.lanes,
      flags: face.flags,
      stage: face.stage,
      kind: face.kind,
      obligations: [],
      moves: [],
      history: [],
      refused: [],
      card: face.card,
      holders: holders(face.card),
      messages: [],
      canConverse: false,
      forms: [],
      present: [],
      saved: { here: "saved", waiting: 0, refused: 0 },
      problems: [],
    };
  }

  #refused(own: readonly Undelivered[]): readonly RefusedWork[] {
    const { edits, uploads, dismissed, problems, submitName, known, id } = this.#folder;
    const closed = problems.get(submitName);
    const opening: RefusedWork[] =
      known?.isListed === false && closed !== undefined
        ? [{ id, kind: "opening", label: String(this.card().get("title") ?? ""), code: closed.code, canAgain: true }]
        : [];
    return [
      ...opening,
      ...refusedOf(own, dismissed),
      ...edits.flatMap((edit): RefusedWork[] => {
        const label = edit.root === "notes" ? edit.text : Object.keys(edit.values).join(", ");
        const kind = kindOf(edit.document) === "card" ? "card" : "form";
        return edit.code === undefined ? [] : [{ id: edit.id, kind, label, code: edit.code, canAgain: true }];
      }),
      ...uploads.flatMap((upload): RefusedWork[] =>
        upload.code === undefined
          ? []
          : [{ id: upload.id, kind: "attachment", label: upload.name, code: upload.code, canAgain: true }],
      ),
    ];
  }

  #saved(own: readonly Undelivered[], refused: readonly RefusedWork[]): Saved {
    const { dirty, submitName, uploads, isStoring, hasFailed } = this.#folder;
    const papers = [...dirty].filter((name) => name !== submitName).length;
    const waiting =
      own.filter(({ code }) => code === null).length + papers + uploads.filter(({ code }) => code === undefined).length;
    const stored = isStoring ? "saving" : "saved";
    return { here: hasFailed ? "failed" : stored, waiting, refused: refused.length };
  }

  #forms(lifecycle: Lifecycle, person: Person): readonly Form[] {
    return formsOf(person, lifecycle).flatMap((lane) => {
      const paper = this.#folder.paper(documentName(this.#folder.id, "form", lane));
      return paper === null
        ? []
        : [
            {
              lane,
              canWrite: owns(person, lifecycle, lane),
              fields: scalars(paper.doc, "fields"),
              notesLength: paper.doc.getText("notes").length,
              payloads: new Map(
                [...payloadsOf(paper.doc)].map(([digest, data]) => [digest, new Map(Object.entries(data))]),
              ),
            },
          ];
    });
  }

  #present(person: Person): readonly Present[] {
    const awareness = this.awareness();
    const states = awareness === null ? [] : [...awareness.getStates()];
    return states.flatMap(([client, state]) => {
      const { actor, department } = Object(state) as { actor?: unknown; department?: unknown };
      const isTold = typeof actor === "string" && typeof department === "string" && client !== awareness?.clientID;
      return isTold
        ? [{ actor: actor.slice(0, 128), department: department.slice(0, 64), isHere: actor === person.actor }]
        : [];
    });
  }

  #talk(): Y.Doc | null {
    return this.#paper("talk")?.doc ?? null;
  }

  #paper(kind: "log" | "talk" | "card" | "submit"): Paper | null {
    const { id, submitName } = this.#folder;
    return this.#folder.paper(kind === "submit" ? submitName : documentName(id, kind));
  }

  #revisions(...kinds: readonly ("log" | "talk" | "card" | "submit")[]): string {
    return kinds.map((kind) => `${this.#paper(kind)?.database} ${this.#paper(kind)?.revision}`).join();
  }
}
