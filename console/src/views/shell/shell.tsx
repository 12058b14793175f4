/** What surrounds every page of a person: the head with the menu, the commands, and the line that says what is saved. */

import "./style.css";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useDesk } from "../context.ts";
import { isComposed } from "../input_method.ts";
import { useLabels } from "../labels.ts";
import type { Filter } from "../list/filters.ts";
import { NewTicket } from "../new_ticket.tsx";
import { useWords } from "../preferences.ts";
import { backToList, Link } from "../router.tsx";
import { useKeys } from "../use_keys.ts";
import { Keys } from "./keys.tsx";
import { Menu } from "./menu.tsx";
import { Palette } from "./palette.tsx";
import { StatusLine } from "./status_line.tsx";

interface Props {
  readonly setFilter: (filter: Filter) => void;
  readonly children: ComponentChildren;
}

export function Shell({ setFilter, children }: Props): JSX.Element {
  const { console, person } = useDesk();
  const label = useLabels(console);
  const words = useWords();
  const [open, setOpen] = useState<"palette" | "keys" | "new" | null>(null);
  const close = (): void => setOpen(null);
  usePaletteKey(() => setOpen("palette"));
  useKeys((key) => {
    if (key === "?") {
      setOpen("keys");
    } else if (key === "c") {
      setOpen("new");
    } else {
      return false;
    }
    return true;
  });
  return (
    <div class="shell">
      <header class="head">
        <Link to={backToList(person.department)} class="brand">
          {words("tickets")} <span class="department">{label(person.department)}</span>
        </Link>
        <Link to="/board">{words("board")}</Link>
        <button type="button" class="palette-button" onClick={() => setOpen("palette")}>
          {words("palette")} <kbd>Ctrl K</kbd>
        </button>
        <Menu showKeys={() => setOpen("keys")} />
      </header>
      {children}
      <footer>
        <StatusLine />
      </footer>
      {open === "palette" && (
        <Palette close={close} setFilter={setFilter} showKeys={() => setOpen("keys")} openNew={() => setOpen("new")} />
      )}
      {open === "new" && <NewTicket close={close} />}
      {open === "keys" && <Keys close={close} />}
    </div>
  );
}

/** Everywhere, also while somebody types. */
function usePaletteKey(open: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !isComposed(event)) {
        event.preventDefault();
        open();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
