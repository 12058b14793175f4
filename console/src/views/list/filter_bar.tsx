/** The filters: those of every department, a stage, and those that this person has saved. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { useReadable } from "../use.ts";
import { EVERYTHING_OPEN, type Filter, fitting, stagesOf, VIEWS } from "./filters.ts";
import { type SavedFilter, savedFilters, saveFilters } from "./saved_filters.ts";

interface Props {
  readonly filter: Filter;
  readonly setFilter: (filter: Filter) => void;
  readonly rows: readonly TicketRow[];
}

export function FilterBar({ filter, setFilter, rows }: Props): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const lifecycles = useReadable(console.lifecycles);
  const counts = useMemo(
    () =>
      new Map(
        VIEWS.map((view) => [view, fitting(rows, { ...EVERYTHING_OPEN, view }, person.department, lifecycles).length]),
      ),
    [rows, person.department],
  );
  const stages = useMemo(() => stagesOf(rows, lifecycles, language), [rows, lifecycles, language]);
  return (
    <nav class="filters" aria-label={words("filters")}>
      <ul>
        {VIEWS.map((view) => (
          <li key={view}>
            <button
              type="button"
              aria-pressed={filter.view === view}
              onClick={() => setFilter({ ...EVERYTHING_OPEN, view })}
            >
              {words(`filter_${view}`)} <span class="number">{counts.get(view)}</span>
            </button>
          </li>
        ))}
      </ul>
      <label class="stage-filter">
        {words("stage")}
        <select
          value={filter.stage ?? ""}
          onChange={(event) => setFilter({ ...filter, stage: event.currentTarget.value || null })}
        >
          <option value="">{words("any_stage")}</option>
          {stages.map(([stage, text]) => (
            <option key={stage} value={stage}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <Saved filter={filter} setFilter={setFilter} />
    </nav>
  );
}

function Saved({ filter, setFilter }: Omit<Props, "rows">): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const [saved, setSaved] = useState(() => savedFilters(person));
  const [name, setName] = useState("");
  const store = (changed: readonly SavedFilter[]): void => {
    saveFilters(person, changed);
    setSaved(changed);
  };
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    store([...saved.filter((other) => other.name !== name), { name, filter }]);
    setName("");
  };
  return (
    <>
      {saved.length > 0 && <h2>{words("saved_filters")}</h2>}
      <ul>
        {saved.map((each) => (
          <li key={each.name} class="saved">
            <button type="button" onClick={() => setFilter(each.filter)}>
              {each.name}
            </button>
            <button
              type="button"
              class="icon"
              aria-label={words("remove", { name: each.name })}
              onClick={() => store(saved.filter((other) => other !== each))}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <form class="save-filter" onSubmit={add}>
        <input
          required
          maxLength={40}
          aria-label={words("filter_name")}
          placeholder={words("save_filter")}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit">{words("save")}</button>
      </form>
    </>
  );
}
