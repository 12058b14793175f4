/** The tickets that wait for somebody for too long, each with a way to it. */

import type { JSX } from "preact";
import { instant } from "../store/instants.ts";
import type { Console, Person } from "../store/types.ts";
import { ago } from "../views/dates.ts";
import { useLabels } from "../views/labels.ts";
import { ticketPath } from "../views/places.ts";
import { useLanguage } from "../views/preferences.ts";
import { Link } from "../views/router.tsx";
import { useReadable } from "../views/use.ts";
import type { Figures } from "./figures.ts";
import { duration } from "./format.ts";
import { Panel } from "./panel.tsx";
import { useBoardWords } from "./words.ts";

const SHOWN_MAX = 50;
const DAY_MS = 86_400_000;
const QUIET_DAYS = [1, 3, 7];

interface Props {
  readonly figures: Figures;
  readonly console: Console;
  readonly person: Person;
  readonly now: number;
  readonly quietDays: number;
  readonly setQuietDays: (days: number) => void;
}

export function StuckTickets({
  figures: { stuck },
  console,
  person,
  now,
  quietDays,
  setQuietDays,
}: Props): JSX.Element {
  const words = useBoardWords();
  const language = useLanguage();
  const label = useLabels(console);
  const { rows } = useReadable(console.tickets);
  const titles = new Map<string, string>(rows.map(({ id, title }) => [id, title]));
  const title = (ticket: string): string => titles.get(ticket) || ticket.slice(0, 8);
  const days = (count: number): string => duration(count * DAY_MS, language);
  return (
    <Panel
      title={words("stuck")}
      file="stuck"
      isTable
      rows={stuck.slice(0, SHOWN_MAX)}
      columns={[
        {
          name: words("ticket"),
          value: ({ ticket }) => title(ticket),
          shown: ({ ticket }) => <Link to={ticketPath(person.department, ticket)}>{title(ticket)}</Link>,
        },
        { name: words("stage"), value: ({ stage }) => (stage === "" ? words("no_stage") : label(stage)) },
        { name: words("owed_by"), value: ({ lanes }) => lanes.map(label).join(words("or")) },
        {
          name: words("since"),
          value: ({ since }) => instant(since),
          shown: ({ since }) => <time dateTime={instant(since)}>{ago(since, now, language)}</time>,
        },
        { name: words("overdue"), value: ({ isOverdue }) => words(isOverdue ? "yes" : "no") },
      ]}
    >
      <p class="quiet">{words("stuck_note", { days: days(quietDays) })}</p>
      {stuck.length > SHOWN_MAX && <p class="quiet">{words("stuck_more", { count: stuck.length - SHOWN_MAX })}</p>}
      <label class="quiet-days">
        {words("stuck_after")}
        <select value={quietDays} onChange={(event) => setQuietDays(Number(event.currentTarget.value))}>
          {QUIET_DAYS.map((count) => (
            <option key={count} value={count}>
              {days(count)}
            </option>
          ))}
        </select>
      </label>
    </Panel>
  );
}
