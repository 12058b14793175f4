/** The parts of the board that have a plot. */

import type { JSX } from "preact";
import type { StageKind } from "../lifecycle/model.ts";
import type { Console } from "../store/types.ts";
import { useLabels } from "../views/labels.ts";
import { useLanguage } from "../views/preferences.ts";
import type { ChannelDay, Figures, Responses as ResponsesOfDay } from "./figures.ts";
import { duration } from "./format.ts";
import { Panel } from "./panel.tsx";
import { Bars, Columns, type Tone } from "./plots.tsx";
import { type BoardWord, useBoardWords } from "./words.ts";

const KIND_TONES: Readonly<Record<StageKind, Tone>> = {
  normal: "accent",
  attention: "warn",
  compensation: "bad",
  settled: "good",
  final: "good",
};
const MINUTE_MS = 60_000;
const AGE_TONES: readonly Tone[] = ["good", "accent", "quiet", "warn", "bad"];
const DEPARTMENT_TONES: readonly Tone[] = ["accent", "good", "warn", "quiet", "bad"];

interface Props {
  readonly figures: Figures;
}

interface LabelledProps extends Props {
  readonly console: Console;
}

export function Stages({ figures, console }: LabelledProps): JSX.Element {
  const words = useBoardWords();
  const label = useLabels(console);
  const named = (stage: string): string => (stage === "" ? words("no_stage") : label(stage));
  return (
    <Panel
      title={words("stages")}
      file="stages"
      rows={figures.stages}
      columns={[
        { name: words("stage"), value: ({ stage }) => named(stage) },
        { name: words("tickets"), value: ({ count }) => count },
      ]}
    >
      <Bars
        label={words("stages")}
        bars={figures.stages.map(({ stage, kind, count }) => ({
          name: named(stage),
          parts: [{ name: named(stage), value: count, tone: KIND_TONES[kind ?? "normal"] }],
        }))}
      />
    </Panel>
  );
}

export function FlowByDay({ figures: { flow } }: Props): JSX.Element {
  const words = useBoardWords();
  return (
    <Panel
      title={words("flow")}
      file="flow"
      rows={flow}
      columns={[
        { name: words("day"), value: ({ day }) => day },
        { name: words("opened"), value: ({ opened }) => opened },
        { name: words("ended"), value: ({ ended }) => ended },
        { name: words("reopened"), value: ({ reopened }) => reopened },
      ]}
    >
      <Columns
        label={words("flow")}
        days={flow.map(({ day }) => day)}
        series={[
          { name: words("opened"), values: flow.map(({ opened }) => opened), tone: "accent" },
          { name: words("ended"), values: flow.map(({ ended }) => ended), tone: "good" },
          { name: words("reopened"), values: flow.map(({ reopened }) => reopened), tone: "warn" },
        ]}
      />
    </Panel>
  );
}

export function ObligationsByAge({ figures: { obligations }, console }: LabelledProps): JSX.Element {
  const words = useBoardWords();
  const label = useLabels(console);
  const who = (lanes: readonly string[]): string => lanes.map(label).join(words("or"));
  const ages = AGE_TONES.map((tone, age) => ({ name: words(`age_${age}` as BoardWord), tone }));
  return (
    <Panel
      title={words("obligations")}
      file="obligations"
      rows={obligations}
      columns={[
        { name: words("owed_by"), value: ({ lanes }) => who(lanes) },
        ...ages.map(({ name }, age) => ({
          name,
          value: (row: (typeof obligations)[number]) => row.ages[age] ?? 0,
        })),
        { name: words("overdue"), value: ({ overdue }) => overdue },
      ]}
    >
      <Bars
        label={words("obligations")}
        bars={obligations.map((row) => ({
          name: who(row.lanes),
          parts: ages.map(({ name, tone }, age) => ({ name, tone, value: row.ages[age] ?? 0 })),
        }))}
      />
    </Panel>
  );
}

export function Responses({ figures: { responses, flow }, console }: LabelledProps): JSX.Element {
  const words = useBoardWords();
  const label = useLabels(console);
  const language = useLanguage();
  const time = (ms: number): string => duration(ms, language);
  const minutes = (count: number): string => time(count * MINUTE_MS);
  const name = (department: string): string => (department === "" ? words("on_platform") : label(department));
  const days = daysFrom(flow, responses);
  const departments = [...new Set(responses.map(({ department }) => department))].sort();
  const medianOn = (day: string, department: string): number =>
    responses.find((row: ResponsesOfDay) => row.day === day && row.department === department)?.medianMs ?? 0;
  return (
    <Panel
      title={words("responses")}
      file="responses"
      rows={responses}
      columns={[
        { name: words("day"), value: ({ day }) => day },
        { name: words("department"), value: ({ department }) => name(department) },
        { name: words("answers"), value: ({ count }) => count },
        { name: words("within_hour"), value: ({ withinHour }) => withinHour },
        { name: words("median"), value: ({ medianMs }) => medianMs, shown: ({ medianMs }) => time(medianMs) },
        { name: words("p95"), value: ({ p95Ms }) => p95Ms, shown: ({ p95Ms }) => time(p95Ms) },
        { name: words("longest"), value: ({ longestMs }) => longestMs, shown: ({ longestMs }) => time(longestMs) },
      ]}
    >
      <Columns
        label={words("responses")}
        days={days}
        format={minutes}
        series={departments.map((department, index) => ({
          name: name(department),
          values: days.map((day) => medianOn(day, department) / MINUTE_MS),
          tone: DEPARTMENT_TONES[index % DEPARTMENT_TONES.length] ?? "quiet",
        }))}
      />
    </Panel>
  );
}

export function Channels({ figures: { channels, flow } }: Props): JSX.Element {
  const words = useBoardWords();
  const name = (channel: string): string => channel || words("no_chat");
  const days = daysFrom(flow, channels);
  const shown = ["received", "answered", "failed"] as const;
  const tones = { received: "accent", answered: "good", failed: "bad" } as const;
  const on = (day: string, channel: string): ChannelDay | undefined =>
    channels.find((row) => row.day === day && row.channel === channel);
  return (
    <Panel
      title={words("channels")}
      file="channels"
      rows={channels}
      columns={[
        { name: words("day"), value: ({ day }) => day },
        { name: words("channel"), value: ({ channel }) => name(channel) },
        { name: words("received"), value: ({ received }) => received },
        { name: words("answered"), value: ({ answered }) => answered },
        { name: words("other"), value: ({ other }) => other },
        { name: words("failed"), value: ({ failed }) => failed },
      ]}
    >
      {[...new Set(channels.map(({ channel }) => channel))].sort().map((channel) => (
        <div key={channel}>
          <h3>{name(channel)}</h3>
          <Columns
            label={`${words("channels")}: ${name(channel)}`}
            days={days}
            series={shown.map((each) => ({
              name: words(each),
              values: days.map((day) => on(day, channel)?.[each] ?? 0),
              tone: tones[each],
            }))}
          />
        </div>
      ))}
    </Panel>
  );
}

/** Every day from the first that has a row, so that quiet days are seen to be quiet. */
function daysFrom(flow: Figures["flow"], rows: readonly { readonly day: string }[]): string[] {
  const first = rows[0]?.day ?? "";
  return flow.map(({ day }) => day).filter((day) => day >= first);
}
