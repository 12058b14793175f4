/** Filters that a person has given a name, kept in this browser. */

import type { Person } from "../../store/types.ts";
import { keep, kept } from "../kept.ts";
import { type Filter, filterOf } from "./filters.ts";

export interface SavedFilter {
  readonly name: string;
  readonly filter: Filter;
}

const NAME = "filters";

export function savedFilters(person: Person): readonly SavedFilter[] {
  const found = kept(person, NAME);
  return (Array.isArray(found) ? found : []).flatMap((value) => {
    const { name, filter } = Object(value) as Record<string, unknown>;
    const read = filterOf(filter);
    return typeof name === "string" && read !== null ? [{ name, filter: read }] : [];
  });
}

export function saveFilters(person: Person, filters: readonly SavedFilter[]): void {
  keep(person, NAME, filters);
}
