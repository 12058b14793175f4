/** Days of the viewer's zone, as `2026-11-26`: the board counts by the calendar on the wall beside it. */

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000; // no zone changes its day but at a quarter of an hour

const formats = new Map<string, Intl.DateTimeFormat>();
const last = { zone: "", quarter: Number.NaN, day: "" }; // events come in order, so most are of the same quarter

/** Say which day it was in a zone. */
export function dayOf(at: number, zone: string): string {
  const quarter = Math.floor(at / QUARTER_MS);
  if (last.quarter !== quarter || last.zone !== zone) {
    last.zone = zone;
    last.quarter = quarter;
    last.day = formatOf(zone).format(at);
  }
  return last.day;
}

/** List the days from one to another, both included. */
export function daysBetween(first: string, latest: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(first); at <= Date.parse(latest); at += DAY_MS) {
    days.push(new Date(at).toISOString().slice(0, 10)); // a day's name alone is read and written in UTC
  }
  return days;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) {
    return known;
  }
  const made = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  formats.set(zone, made);
  return made;
}
