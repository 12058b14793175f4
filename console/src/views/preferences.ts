/** Language and appearance, which belong to a browser and not to a person: they hold before anybody has signed in. */

import type { Language } from "../lifecycle/model.ts";
import type { Readable } from "../store/types.ts";
import { useReadable } from "./use.ts";
import { say, type Values, type Word } from "./words.ts";

export type Theme = "system" | "light" | "dark";

export interface Preferences {
  readonly language: Language;
  readonly theme: Theme;
}

const KEY = "crdt-sync.preferences";
const listeners = new Set<() => void>();
let current: Preferences = read();

export const preferences: Readable<Preferences> = {
  snapshot: () => current,
  subscribe: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** Change some of them, here and in the tabs that are opened later. */
export function prefer(changed: Partial<Preferences>): void {
  current = { ...current, ...changed };
  localStorage.setItem(KEY, JSON.stringify(current));
  apply();
  for (const listener of listeners) {
    listener();
  }
}

/** Tell the document, which style and screen readers go by. */
export function apply(): void {
  document.documentElement.lang = current.language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset["theme"] = current.theme;
}

/** Words in the language that is chosen. */
export type Words = (word: Word, values?: Values) => string;

export function useWords(): Words {
  const language = useLanguage();
  return (word, values) => say(language, word, values);
}

export function useLanguage(): Language {
  return useReadable(preferences).language;
}

function read(): Preferences {
  const system: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  const stored = parsed(localStorage.getItem(KEY) ?? "{}");
  const { language, theme } = Object(stored) as Partial<Preferences>;
  return {
    language: language === "en" || language === "zh" ? language : system,
    theme: theme === "light" || theme === "dark" ? theme : "system",
  };
}

/** What somebody else wrote under our key is as if nothing was there. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
