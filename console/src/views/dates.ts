/** Times as people read them, in their own zone: near ones by how long ago, others by day. */

import type { Language } from "../lifecycle/model.ts";
import { INSTANT_MS_MAX } from "../store/instants.ts";
import { say } from "./words.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const LOCALES: Record<Language, string> = { en: "en-GB", zh: "zh-CN" };
// Each holds memory outside of the page's heap: one for every row of a list is garbage whose collection is seen.
const formats = new Map<string, Intl.DateTimeFormat>();
const relatives = new Map<Language, Intl.RelativeTimeFormat>();

/** Say when `at` was, seen from `now`; both are milliseconds. 0 is a time that nobody knows. */
export function ago(at: number, now: number, language: Language): string {
  const passed = now - at;
  if (at === 0) {
    return "";
  }
  if (passed < MINUTE_MS) {
    return say(language, "just_now"); // also a clock that runs ahead of ours
  }
  const style = { numeric: "always", style: "narrow" } as const;
  const relative = relatives.get(language) ?? new Intl.RelativeTimeFormat(LOCALES[language], style);
  relatives.set(language, relative);
  if (passed < HOUR_MS) {
    return relative.format(-Math.floor(passed / MINUTE_MS), "minute");
  }
  if (passed < DAY_MS) {
    return relative.format(-Math.floor(passed / HOUR_MS), "hour");
  }
  return format(at, language, { dateStyle: "medium" });
}

/** Say the whole time, with its zone. */
export function exactly(at: number, language: Language): string {
  const options = { dateStyle: "medium", timeStyle: "long" } as const;
  return at === 0 ? "" : format(at, language, options);
}

/** Say the day. */
export function day(at: number, language: Language): string {
  return format(at, language, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
}

/** Say the time of day, with the date unless that is the one of `now`. */
export function clock(at: number, now: number, language: Language): string {
  const isToday = day(at, language) === day(now, language);
  return format(at, language, { timeStyle: "short", ...(!isToday && { dateStyle: "medium" }) });
}

/** Whoever writes a document claims any time: one that is no date is shown as the last of the year 9999. */
function format(at: number, language: Language, options: Intl.DateTimeFormatOptions): string {
  const key = `${language} ${JSON.stringify(options)}`;
  const known = formats.get(key) ?? new Intl.DateTimeFormat(LOCALES[language], options);
  formats.set(key, known);
  return known.format(Math.min(at, INSTANT_MS_MAX));
}
