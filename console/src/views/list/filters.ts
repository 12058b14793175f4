/** Which rows of the list are shown. Pure: rows and a filter in, rows out. */

import type { Digest } from "../../lifecycle/ids.ts";
import { type Lifecycle, label } from "../../lifecycle/model.ts";
import type { TicketRow } from "../../store/types.ts";

export const VIEWS = ["open", "mine", "owed", "unread", "attention", "all"] as const;
export type View = (typeof VIEWS)[number];

export interface Filter {
  readonly view: View;
  readonly stage: string | null;
  readonly query: string;
}

export type Lifecycles = ReadonlyMap<Digest, Lifecycle>;

const ID_BEGINNING_MIN = 6; // of 32 letters each: one in a thousand million

export const EVERYTHING_OPEN: Filter = { view: "open", stage: null, query: "" };

/** Return the rows that fit, in their order. */
export function fitting(
  rows: readonly TicketRow[],
  filter: Filter,
  department: string,
  lifecycles: Lifecycles,
): readonly TicketRow[] {
  const words = wordsOf(filter.query);
  // Duplicates stand behind the ticket in which their work goes on, unless somebody searches or has not read them.
  const there = words.length > 0 ? new Set() : new Set(rows.map(({ id }) => id));
  return rows.filter(
    (row) =>
      (row.unread > 0 || !there.has(row.duplicateOf ?? "")) &&
      fits(row, filter.view, department) &&
      (filter.stage === null || row.stage === filter.stage) &&
      words.every((word) => textOf(row, lifecycles).includes(word) || isBeginningOf(row.id, word)),
  );
}

/** Tell whether a row belongs to a view of a department. */
export function fits(row: TicketRow, view: View, department: string): boolean {
  switch (view) {
    case "open":
      return row.kind !== "settled" && row.kind !== "final";
    case "mine":
      return row.isMine;
    case "owed":
      return row.owed.some((owed) => owed.department === department);
    case "unread":
      return row.unread > 0;
    case "attention":
      return row.kind === "attention" || row.kind === "compensation" || row.flags.size > 0 || row.refused > 0;
    case "all":
      return true;
  }
}

/** Return the stages that rows have, with the label of each in a language, as the files order them. */
export function stagesOf(
  rows: readonly TicketRow[],
  lifecycles: Lifecycles,
  language: "en" | "zh",
): readonly (readonly [string, string])[] {
  const there = new Set(rows.map((row) => row.stage));
  const declared = [...lifecycles.values()].flatMap((lifecycle) =>
    lifecycle.stages.map(({ stage }) => [stage, label(lifecycle, stage, language)] as const),
  );
  return [...new Map(declared)].filter(([stage]) => there.has(stage));
}

const texts = new WeakMap<TicketRow, string>();

/** All that a search looks into, once for each row as it is. Chinese needs no words: a part of a text is enough. */
function textOf(row: TicketRow, lifecycles: Lifecycles): string {
  const known = texts.get(row);
  if (known !== undefined) {
    return known;
  }
  const lifecycle = lifecycles.get(row.lifecycle);
  const stages = row.stage === null ? [] : [row.stage, ...Object.values(lifecycle?.labels.get(row.stage) ?? {})];
  const people = [...row.assignees.values()];
  const parts = [row.title, row.customer, ...row.tags, ...people, ...stages];
  const text = normal(parts.join("\n"));
  if (lifecycle !== undefined) {
    texts.set(row, text);
  }
  return text;
}

/** Ids are random: only what is long enough to be no chance says which ticket somebody means. */
function isBeginningOf(id: string, word: string): boolean {
  return word.length >= ID_BEGINNING_MIN && id.startsWith(word);
}

/** The words of a search, each of which must occur in what is searched, once that is `normal` too. */
export function wordsOf(query: string): readonly string[] {
  return normal(query).split(/\s+/).filter(Boolean);
}

/** Full-width and half-width, upper and lower case are one. */
export function normal(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

/** Return what an address says of a filter: nothing of what is left as it is. */
export function searchOf({ view, stage, query }: Filter): string {
  const said = new URLSearchParams({
    ...(view === EVERYTHING_OPEN.view ? {} : { view }),
    ...(stage === null ? {} : { stage }),
    ...(query === "" ? {} : { q: query }),
  }).toString();
  return said && `?${said}`;
}

/** Read it; what somebody else wrote into an address is as if nothing was there. */
export function filterIn(search: string): Filter {
  const said = new URLSearchParams(search);
  const view = said.get("view") ?? EVERYTHING_OPEN.view;
  return filterOf({ view, stage: said.get("stage"), query: said.get("q") ?? "" }) ?? EVERYTHING_OPEN;
}

/** Read a filter that was kept; null for what is none. */
export function filterOf(value: unknown): Filter | null {
  const { view, stage, query } = Object(value) as Partial<Record<keyof Filter, unknown>>;
  const isView = VIEWS.some((known) => known === view);
  if (!isView || typeof query !== "string" || !(stage === null || typeof stage === "string")) {
    return null;
  }
  return { view: view as View, stage, query };
}
