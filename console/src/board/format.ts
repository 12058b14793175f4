/** Numbers, durations and days as people read them. Pure. */

import type { Language } from "../lifecycle/model.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const LOCALES: Record<Language, string> = { en: "en-GB", zh: "zh-CN" };

/** Say how long something took, in the largest unit that it fills. */
export function duration(ms: number, language: Language): string {
  if (ms >= DAY_MS) {
    return unit(ms / DAY_MS, "day", language);
  }
  return ms >= HOUR_MS ? unit(ms / HOUR_MS, "hour", language) : unit(ms / MINUTE_MS, "minute", language);
}

/** Say a day like `2026-11-26` shortly. */
export function shortDay(day: string, language: Language): string {
  const format = new Intl.DateTimeFormat(LOCALES[language], { month: "short", day: "numeric", timeZone: "UTC" });
  return format.format(Date.parse(day)); // a day's name is read as midnight UTC, so it is written there
}

/** Return the end of an axis that holds a value: an even digit with zeros, so that half of it is a whole number, too. */
export function axisEnd(largest: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(1, largest)));
  return [2, 4, 6, 8].map((step) => step * size).find((end) => end >= largest) ?? 10 * size;
}

function unit(value: number, name: string, language: Language): string {
  const options = {
    style: "unit",
    unit: name,
    unitDisplay: "short",
    maximumFractionDigits: value < 10 ? 1 : 0,
  } as const;
  return new Intl.NumberFormat(LOCALES[language], options).format(value);
}
