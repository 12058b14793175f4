/** One line of the list: what it is about, where it stands, and who has to do something. */

import type { JSX } from "preact";
import { type Lifecycle, label } from "../../lifecycle/model.ts";
import { instant } from "../../store/instants.ts";
import type { TicketRow } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { ago, exactly } from "../dates.ts";
import { owedLines } from "../owed.ts";
import { ticketPath } from "../places.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { priorityOf } from "../priorities.ts";
import { Link } from "../router.tsx";

interface Props {
  readonly row: TicketRow;
  readonly lifecycle: Lifecycle | undefined;
  readonly now: number;
  readonly isCurrent: boolean;
  readonly isStop: boolean;
}

export function Row({ row, lifecycle, now, isCurrent, isStop }: Props): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const owed = lifecycle === undefined ? [] : owedLines(lifecycle, row.owed, language);
  const told = owed.join("; ");
  const who = [...new Set(row.assignees.values())].join(", ");
  const isOurs = row.owed.some(({ department }) => department === person.department);
  return (
    <Link
      to={ticketPath(person.department, row.id)}
      class={row.unread > 0 ? "ticket unread" : "ticket"}
      aria-current={isCurrent ? "true" : undefined}
      tabIndex={isStop ? 0 : -1}
    >
      <span class={`dot ${row.kind ?? "unknown"}`} aria-hidden="true" />
      <span class="title" title={row.title}>
        {row.title || words("untitled")}
      </span>
      <span class="customer" title={row.customer}>
        {row.customer}
      </span>
      <span class="stage">
        {row.stage === null || lifecycle === undefined ? words("no_stage_yet") : label(lifecycle, row.stage, language)}
      </span>
      <span class={isOurs ? "owed ours" : "owed"} title={told}>
        {told}
      </span>
      <Marks row={row} />
      <span class="who" title={who}>
        {who}
      </span>
      <time
        dateTime={row.updatedAt === 0 ? undefined : instant(row.updatedAt)}
        title={exactly(row.updatedAt, language)}
      >
        {ago(row.updatedAt, now, language)}
      </time>
    </Link>
  );
}

function Marks({ row }: Pick<Props, "row">): JSX.Element {
  const words = useWords();
  const priority = priorityOf(row.priority, useLanguage());
  return (
    <span class="marks">
      {priority !== null && (
        <span class={`badge priority ${priority.isHigh ? "bad" : "quiet"}`} title={words("priority")}>
          {priority.text}
        </span>
      )}
      {row.duplicateOf !== null && <span class="badge quiet">{words("duplicate")}</span>}
      {row.unread > 0 && <span class="badge">{words("unread_count", { count: row.unread })}</span>}
      {row.refused > 0 && <span class="badge bad">{words("refused_count", { count: row.refused })}</span>}
      {(row.waiting > 0 || row.isLocal) && (
        <span class="badge quiet" title={words("waiting_count", { count: row.waiting })}>
          ↑
        </span>
      )}
    </span>
  );
}
