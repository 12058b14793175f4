/** An open ticket: what its documents show, and what its person does to it. How it is kept and synced is `Folder`'s. */

import { explain } from "../lifecycle/explain.ts";
import type { Fold } from "../lifecycle/fold.ts";
import type { Digest, LaneId, TransitionId } from "../lifecycle/ids.ts";
import type { Language, Lifecycle } from "../lifecycle/model.ts";
import { make as makeTransition } from "../lifecycle/transition.ts";
import { type Edit, freshId, type Root } from "../recovery/outbox.ts";
import { acrossTabs } from "../recovery/recover.ts";
import { converses, documentName, owns } from "./access.ts";
import { entriesOf, messageKey, payloadsOf } from "./content.ts";
import type { KeptEdit, KeptEntry, Known, Upload } from "./database.ts";
import type { Desk } from "./desk.ts";
import { checkCard, checkForm, checkText } from "./fields.ts";
import { Folder } from "./folder.ts";
import { naming, taking, told } from "./holds.ts";
import { type Message, make as makeMessage, type Part, salt } from "./message.ts";
import { Derived } from "./observable.ts";
import { check, type Data, seal } from "./payload.ts";
import { Shown } from "./shown.ts";
import { type OpenTicket, type Scalar, type SharedText, StoreError, type TicketId, type TicketView } from "./types.ts";
import { frontierOf } from "./view.ts";

const NOTE_BYTES_MAX = 65_536;
const DUPLICATE: Readonly<Record<Language, string>> = {
  en: "It is a duplicate: its work goes on in ticket {of}, and nothing is owed here.",
  zh: "此工单为重复工单：后续处理在工单 {of}，此处没有待办。",
}; // as `crdt_sync/service/duplicates.py` says it

export class Ticket implements OpenTicket {
  readonly id: TicketId;
  readonly view: Derived<TicketView>;
  readonly folder: Folder;
  /** How many views have it open. */
  holders = 0;
  #status: TicketView["status"] = "loading";
  readonly #desk: Desk;
  readonly #shown: Shown;
  readonly #watched = new WeakSet<object>();

  constructor(id: TicketId, desk: Desk) {
    this.id = id;
    this.#desk = desk;
    this.folder = new Folder(id, desk, () => this.#changed());
    this.#shown = new Shown(this.folder, desk);
    this.view = new Derived(() => this.#shown.view(this.#status));
  }

  /** Read it; `known` is one that is opened here. */
  async load(known: Known | null = null): Promise<void> {
    const isThere = await this.folder.load(known);
    this.#status = isThere ? "ready" : "absent";
    this.#changed();
  }

  /** Whether nobody looks at it, and nothing of it has still to reach the service. */
  get isIdle(): boolean {
    return this.holders === 0 && this.#status !== "loading" && this.view.snapshot().saved.waiting === 0;
  }

  /** Whether the service has given all of it. */
  get isSynced(): boolean {
    const papers = [...this.folder.papers.values()];
    return this.#status !== "loading" && papers.every(({ isGiven }) => isGiven);
  }

  /** Take in that the service lists the ticket, or does not any more. */
  async listed(): Promise<void> {
    const isListed = this.#desk.tickets.face(this.id) !== null;
    if (this.#status === "absent" && isListed) {
      await this.load();
    } else if (this.#status === "ready") {
      await this.folder.listed(isListed);
      this.#changed();
    }
  }

  explain(language: Language): readonly string[] {
    const { lifecycle } = this.folder;
    const fold = this.#status === "ready" ? this.#shown.fold() : null;
    return lifecycle === null || fold === null
      ? []
      : [
          ...this.#duplicate(language),
          ...explain(lifecycle, fold, language),
          ...told(lifecycle, this.#shown.card(), language),
        ];
  }

  #duplicate(language: Language): readonly string[] {
    const { duplicateOf } = this.view.snapshot().row;
    return duplicateOf === null ? [] : [DUPLICATE[language].replace("{of}", duplicateOf)];
  }

  notes(lane: string): SharedText | null {
    return this.folder.paper(documentName(this.id, "form", lane))?.doc.getText("notes") ?? null;
  }

  async move(lane: string, name: string, payload?: Data): Promise<TransitionId> {
    const { lifecycle, fold } = this.#arrived();
    const spec = lifecycle.lanes.get(lane as LaneId)?.transitions.get(name);
    if (spec === undefined) {
      throw new StoreError("unknown_transition", `There is no move ${lane}.${name}.`);
    }
    if (payload !== undefined) {
      check(spec.payload, payload);
    }
    const sealed = payload === undefined ? null : seal(payload, salt());
    const { actor, roles } = this.#desk.person();
    const made = makeTransition({
      ticket: this.id,
      lane: lane as LaneId,
      name,
      actor,
      roles: claimed(roles, spec.by),
      after: frontierOf(fold),
      lifecycle: lifecycle.digest,
      payload: sealed?.digest ?? null,
      at: Date.now(),
    });
    const verdict = owns(this.#desk.person(), lifecycle, lane) ? fold.judge(made) : "lane_owner";
    if (verdict !== "valid") {
      const move = this.view.snapshot().moves.find((one) => one.lane === lane && one.name === name);
      throw new StoreError(verdict ?? "not_there_yet", move?.reason.en ?? "");
    }
    const document = documentName(this.id, "form", lane);
    const values = sealed === null ? null : { [sealed.digest]: sealed.text };
    const edits = values === null ? [] : [this.#edit({ document, root: "payloads", values })];
    await this.folder.write([this.#entry("transitions", made.record, made.id)], edits);
    return made.id;
  }

  say(text: string): Promise<string> {
    return this.#post([{ type: "text", text }]);
  }

  async attach(file: Blob, name: string, text = ""): Promise<void> {
    this.#mayConverse();
    const content = await file.arrayBuffer();
    const upload = { id: freshId(), ticket: this.id, name, text, at: Date.now(), type: file.type, content };
    await this.#desk.database.write([{ in: "uploads", put: upload }]);
    this.folder.uploads = await this.#desk.database.of("uploads", this.id); // as `flush` does, which may be under way
    this.#changed();
    void this.flush();
  }

  /** Upload what waits, one tab at a time; what cannot be uploaded now waits on. */
  async flush(): Promise<void> {
    if (this.folder.known?.isListed !== true) {
      return;
    }
    await acrossTabs(`crdt-sync upload ${this.#desk.database.name} ${this.id}`, async () => {
      this.folder.uploads = await this.#desk.database.of("uploads", this.id);
      for (const upload of this.folder.uploads.filter(({ code }) => code === undefined)) {
        await this.#upload(upload);
      }
    }).catch(() => undefined);
    this.#changed();
  }

  async note(lane: string, text: string): Promise<void> {
    checkText("notes", text, NOTE_BYTES_MAX);
    const document = this.#ownForm(lane);
    await this.folder.write([], [this.#edit({ document, root: "notes", text: `${text}\n` })]);
  }

  async setCard(fields: Readonly<Record<string, Scalar>>): Promise<void> {
    const lanes = Object.keys(fields).flatMap((key) =>
      key.startsWith("assignee.") ? key.slice("assignee.".length) : [],
    );
    const named = lanes.map((lane) => naming(this.#shown.card(), lane as LaneId, null));
    const values = Object.assign({}, ...named, fields) as Record<string, Scalar>;
    checkCard(values);
    await this.folder.write([], [this.#edit({ document: documentName(this.id, "card"), root: "card", values })]);
  }

  async setForm(lane: string, fields: Readonly<Record<string, Scalar>>): Promise<void> {
    checkForm(fields);
    const document = this.#ownForm(lane);
    await this.folder.write([], [this.#edit({ document, root: "fields", values: fields })]);
  }

  async take(lane: string): Promise<void> {
    this.#ownLane(lane);
    const values = taking(this.#shown.card(), lane as LaneId, this.#desk.person().actor, Date.now());
    await this.folder.write([], [this.#edit({ document: documentName(this.id, "card"), root: "card", values })]);
  }

  async transfer(lane: string, actor: string | null): Promise<void> {
    await this.setCard({ [`assignee.${lane}`]: actor });
  }

  async again(id: string): Promise<void> {
    const edit = this.folder.edits.find((one) => one.id === id);
    const upload = this.folder.uploads.find((one) => one.id === id);
    const entry = entriesOf(this.folder.doc("submit")).find((one) => one.id === id);
    if (edit !== undefined) {
      await this.folder.forget([edit]);
      const { code: _, ...same } = edit;
      await this.folder.write([], [{ ...same, id: freshId() }]);
    } else if (upload !== undefined) {
      const { code: _, ...same } = upload;
      await this.#desk.database.write([{ in: "uploads", put: same }]);
      await this.flush();
    } else if (entry === undefined || this.folder.problems.has(this.folder.submitName)) {
      this.folder.retry();
    } else if (entry.root === "messages") {
      await this.#post(entry.made.parts);
      await this.dismiss(id);
    } else {
      const { lane, name, payload } = entry.made;
      const form = this.folder.paper(documentName(this.id, "form", lane))?.doc;
      const data = payload === null || form === undefined ? undefined : payloadsOf(form).get(payload);
      await this.move(lane, name, data);
      await this.dismiss(id);
    }
  }

  async dismiss(id: string): Promise<void> {
    await this.folder.forget(this.folder.edits.filter((edit) => edit.id === id));
    await this.#desk.database.write([
      { in: "dismissed", put: { ticket: this.id, id } },
      { in: "uploads", remove: [this.id, id] },
    ]);
    this.folder.uploads = this.folder.uploads.filter((upload) => upload.id !== id);
    this.folder.dismissed = new Set([...this.folder.dismissed, id]);
    this.#changed();
  }

  async markRead(): Promise<void> {
    await this.#desk.tickets.count(this.id, null);
    this.#changed();
  }

  async media(digest: Digest): Promise<Blob> {
    return (await this.#content(digest)).blob();
  }

  async mediaUpTo(digest: Digest, bytesMax: number): Promise<Blob | null> {
    const answer = await this.#content(digest);
    if (Number(answer.headers.get("content-length")) <= bytesMax) {
      return answer.blob();
    }
    await answer.body?.cancel();
    return null;
  }

  #content(digest: Digest): Promise<Response> {
    return this.#desk.api.ask(`/api/tickets/${this.id}/media/${digest}`);
  }

  release(): void {
    this.holders -= 1;
    this.#changed();
  }

  async close(): Promise<void> {
    this.#desk.tickets.show(this.id, null);
    await this.folder.close();
  }

  #changed(): void {
    this.#watch();
    this.view.touch();
    this.#desk.changed(this);
  }

  /** Hear of who is here, and of what is typed into notes, which comes by no action. */
  #watch(): void {
    const awareness = this.#shown.awareness();
    if (awareness !== null && !this.#watched.has(awareness)) {
      this.#watched.add(awareness);
      awareness.on("change", () => this.#changed());
    }
    const { actor, department } = this.#desk.person();
    const here = this.holders > 0 ? { actor, department } : null;
    if (awareness !== null && JSON.stringify(awareness.getLocalState()) !== JSON.stringify(here)) {
      awareness.setLocalState(here);
    }
    for (const [name, { doc }] of this.folder.papers) {
      if (name.includes("/form/") && !this.#watched.has(doc)) {
        this.#watched.add(doc);
        doc.getText("notes").observe(({ delta }, { local, origin }) => {
          const text = delta.map(({ insert }) => (typeof insert === "string" ? insert : "")).join("");
          if (local && origin !== this.folder && text !== "") {
            this.folder.typed(name, text);
          }
        });
      }
    }
  }

  #arrived(): { readonly lifecycle: Lifecycle; readonly fold: Fold } {
    const { lifecycle } = this.folder;
    const fold = this.#status === "ready" ? this.#shown.fold() : null;
    if (lifecycle === null || fold === null || fold.state().ticket === null) {
      throw new StoreError("not_there_yet", "The ticket has not arrived here.");
    }
    return { lifecycle, fold };
  }

  #mayConverse(): void {
    const { lifecycle } = this.#arrived();
    if (!converses(this.#desk.person(), lifecycle)) {
      throw new StoreError("department", "The department does not take part in the conversation.");
    }
  }

  #ownLane(lane: string): void {
    const { lifecycle } = this.#arrived();
    if (!owns(this.#desk.person(), lifecycle, lane)) {
      throw new StoreError("lane_owner", "The lane is another department's.");
    }
  }

  #ownForm(lane: string): string {
    this.#ownLane(lane);
    return documentName(this.id, "form", lane);
  }

  #message(parts: readonly Part[]): Message {
    this.#mayConverse();
    try {
      const { actor } = this.#desk.person();
      return makeMessage({ ticket: this.id, author: actor, at: Date.now(), parts, salt: salt() });
    } catch {
      throw new StoreError("malformed", "A message has text, and at most 64 KiB of it.");
    }
  }

  async #post(parts: readonly Part[]): Promise<string> {
    const { id, record } = this.#message(parts);
    await this.folder.write([this.#entry("messages", record, messageKey(record))], []);
    return id;
  }

  async #upload(upload: Upload): Promise<void> {
    try {
      const content = new Blob([upload.content], { type: upload.type });
      const asked = { method: "POST", content } as const;
      const path = `/api/tickets/${this.id}/media`;
      const { digest, type } = await this.#desk.api.json<{ readonly digest: string; readonly type: string }>(
        path,
        asked,
      );
      const file = { type: partOf(type), ref: `sha256:${digest}`, name: upload.name };
      const { record } = this.#message([...(upload.text === "" ? [] : [{ type: "text", text: upload.text }]), file]);
      const entry = this.#entry("messages", record, messageKey(record));
      await this.folder.write([entry], [], [{ in: "uploads", remove: [this.id, upload.id] }]);
      this.folder.uploads = this.folder.uploads.filter(({ id }) => id !== upload.id);
    } catch (error) {
      if (!(error instanceof StoreError) || ["offline", "signed_out", "not_stored"].includes(error.code)) {
        throw error;
      }
      const refused = { ...upload, code: error.code };
      this.folder.uploads = this.folder.uploads.map((one) => (one.id === upload.id ? refused : one));
      await this.#desk.database.write([{ in: "uploads", put: refused }]);
    }
  }

  #entry(root: Root, record: string, id: string): KeptEntry {
    return { ticket: this.id, root, record, id };
  }

  #edit(edit: Edit): KeptEdit {
    return { ...edit, ticket: this.id, id: freshId() };
  }
}

/** No more roles are claimed than the move takes: what is taken back of the others does not refuse it. */
function claimed(held: readonly string[], by: readonly string[]): readonly string[] {
  const needed = held.filter((role) => by.includes(role));
  return needed.length > 0 ? needed : held;
}

/** What a part calls itself whose content is of this type; anything may be sent as a file. */
function partOf(type: string): string {
  const [family = ""] = type.split("/");
  return { image: "image", audio: "voice", video: "video" }[family] ?? "file";
}
