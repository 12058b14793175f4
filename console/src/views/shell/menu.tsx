/** The person's menu: language, appearance, notifications, leaving. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useDesk } from "../context.ts";
import { isComposed } from "../input_method.ts";
import { forget } from "../kept.ts";
import { useLabels } from "../labels.ts";
import { type Preferences, prefer, preferences, useWords } from "../preferences.ts";
import { go } from "../router.tsx";
import { useReadable } from "../use.ts";
import { Dropped } from "./dropped.tsx";
import { mayAskToNotify } from "./notices.ts";

const LANGUAGES = { en: "English", zh: "中文" };

export function Menu({ showKeys }: { readonly showKeys: () => void }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const label = useLabels(console);
  const { language, theme } = useReadable(preferences);
  const [mayAsk, setMayAsk] = useState(mayAskToNotify);
  const [openings, setOpenings] = useState(0);
  const menu = useRef<HTMLDetailsElement>(null);
  useClosing(menu);
  const ask = async (): Promise<void> => {
    await Notification.requestPermission();
    setMayAsk(mayAskToNotify());
  };
  const leave = async (isForgotten: boolean): Promise<void> => {
    const { waiting } = console.saved.snapshot();
    const told = waiting > 0 ? `${words("forget_waiting", { count: waiting })}\n` : "";
    if (isForgotten && !confirm(`${told}${words("forget_confirm")}`)) {
      return;
    }
    if (isForgotten) {
      forget(person);
    }
    await console.signOut({ forget: isForgotten });
    go("/");
  };
  return (
    <details class="menu" ref={menu} onToggle={() => setOpenings(openings + 1)}>
      <summary aria-label={words("menu", { actor: person.actor })}>{person.actor}</summary>
      <div class="menu-body">
        <p>{words("of_department", { actor: person.actor, department: label(person.department) })}</p>
        <label>
          {words("language")}
          <select
            value={language}
            onChange={(event) => prefer({ language: event.currentTarget.value as Preferences["language"] })}
          >
            {Object.entries(LANGUAGES).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label>
          {words("theme")}
          <select
            value={theme}
            onChange={(event) => prefer({ theme: event.currentTarget.value as Preferences["theme"] })}
          >
            <option value="system">{words("like_system")}</option>
            <option value="light">{words("light")}</option>
            <option value="dark">{words("dark")}</option>
          </select>
        </label>
        {mayAsk && (
          <button type="button" onClick={ask}>
            {words("notify")}
          </button>
        )}
        <Dropped key={openings} />
        <button type="button" onClick={showKeys}>
          {words("keys")}
        </button>
        <button type="button" onClick={() => leave(false)}>
          {words("sign_out")}
        </button>
        <button type="button" class="danger" onClick={() => leave(true)}>
          {words("sign_out_forget")}
        </button>
      </div>
    </details>
  );
}

/** Have Escape and a press elsewhere close a menu, as they close any other. */
function useClosing(menu: { readonly current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const escaped = (event: KeyboardEvent): void => {
      const isOver = document.querySelector("dialog[open]") !== null;
      if (menu.current?.open && event.key === "Escape" && !isComposed(event) && !isOver) {
        event.preventDefault(); // the page under it stays
        menu.current.open = false;
        menu.current.querySelector("summary")?.focus();
      }
    };
    const pressed = ({ target }: Event): void => {
      if (menu.current?.open && target instanceof Node && !menu.current.contains(target)) {
        menu.current.open = false;
      }
    };
    document.addEventListener("keydown", escaped, true);
    document.addEventListener("pointerdown", pressed, true);
    return () => {
      document.removeEventListener("keydown", escaped, true);
      document.removeEventListener("pointerdown", pressed, true);
    };
  }, []);
}
