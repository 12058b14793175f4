/** The command palette: what can be done here, and every ticket, by a few letters. */

import type { JSX, TargetedEvent } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { isComposed } from "../input_method.ts";
import { EVERYTHING_OPEN, type Filter, fitting, normal, VIEWS, wordsOf } from "../list/filters.ts";
import { ticketPath } from "../places.ts";
import { prefer, preferences, useLanguage, useWords, type Words } from "../preferences.ts";
import { go } from "../router.tsx";
import { useReadable } from "../use.ts";
import { pageCommands } from "./commands.ts";

const SHOWN_MAX = 40; // more than a page has commands: of tickets a few letters more find fewer

interface Props {
  readonly close: () => void;
  readonly setFilter: (filter: Filter) => void;
  readonly showKeys: () => void;
  readonly openNew: () => void;
}

interface Command {
  readonly label: string;
  readonly run: () => void;
}

export function Palette({ close, ...actions }: Props): JSX.Element {
  const words = useWords();
  const [query, setQuery] = useState("");
  // Nothing is chosen until somebody types or goes to it: Enter alone must not make a move.
  const [index, setIndex] = useState<number | null>(null);
  const found = useFound(query, actions);
  const current = index === null ? -1 : Math.min(index, found.length - 1);
  const option = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => option.current?.scrollIntoView({ block: "nearest" }), [current]);
  const run = (command: Command | undefined, { currentTarget }: TargetedEvent<HTMLElement>): void => {
    if (command !== undefined) {
      currentTarget.closest("dialog")?.close(); // before the command: it may put the focus where this cannot
      close();
      command.run();
    }
  };
  const pressed = (event: TargetedEvent<HTMLElement, KeyboardEvent>): void => {
    if (isComposed(event)) {
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? current + 1 : Math.max(current, 0) - 1;
      setIndex((next + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[current], event);
    }
  };
  return (
    <Dialog label={words("palette")} close={close} class="palette">
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-found"
        aria-activedescendant={current >= 0 ? `palette-${current}` : undefined}
        aria-label={words("palette_hint")}
        placeholder={words("palette_hint")}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setIndex(event.currentTarget.value.trim() ? 0 : null);
        }}
        onKeyDown={pressed}
      />
      <div id="palette-found" role="listbox" aria-label={words("palette")}>
        {found.map((command, place) => (
          <div
            key={`${place} ${command.label}`}
            id={`palette-${place}`}
            role="option"
            tabIndex={-1}
            aria-selected={place === current}
            ref={place === current ? option : null}
            onClick={(event) => run(command, event)}
            onKeyDown={pressed}
          >
            {command.label}
          </div>
        ))}
      </div>
      {found.length === 0 && <p>{words("palette_none")}</p>}
    </Dialog>
  );
}

type Actions = Omit<Props, "close">;

function useFound(query: string, actions: Actions): readonly Command[] {
  const { console, person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const { rows } = useReadable(console.tickets);
  const lifecycles = useReadable(console.lifecycles);
  const ofPage = useReadable(pageCommands);
  return useMemo(() => {
    const wanted = wordsOf(query);
    const commands = [...ofPage, ...general(actions, words)];
    const fit = commands.filter(({ label }) => wanted.every((word) => normal(label).includes(word)));
    const tickets =
      wanted.length > 0
        ? fitting(rows, { ...EVERYTHING_OPEN, view: "all", query }, person.department, lifecycles).map((row) => ({
            label: row.title || words("untitled"),
            run: () => go(ticketPath(person.department, row.id)),
          }))
        : [];
    return [...fit, ...tickets].slice(0, SHOWN_MAX);
  }, [query, rows, lifecycles, ofPage, language]);
}

function general({ setFilter, showKeys, openNew }: Actions, words: Words): readonly Command[] {
  const views = VIEWS.map((view) => ({
    label: words(`filter_${view}`),
    run: () => setFilter({ ...EVERYTHING_OPEN, view }),
  }));
  const { language } = preferences.snapshot();
  return [
    { label: words("new_ticket"), run: openNew },
    ...views,
    { label: words("board"), run: () => go("/board") },
    { label: words("light"), run: () => prefer({ theme: "light" }) },
    { label: words("dark"), run: () => prefer({ theme: "dark" }) },
    { label: language === "zh" ? "English" : "中文", run: () => prefer({ language: language === "zh" ? "en" : "zh" }) },
    { label: words("keys"), run: showKeys },
  ];
}
