/** The two kinds of plots: columns by day, and bars by name. Each is a picture with a name; its numbers stand in a table. */

import type { JSX, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useLanguage } from "../views/preferences.ts";
import { axisEnd, shortDay } from "./format.ts";

const WIDTH_MIN = 200;
const HEIGHT = 180;
const LEFT = 56;
const BOTTOM = 20;
const TOP = 8;
const DAY_NAME = 80; // how wide the name of a day under the axis is

/** One value a day, in a colour of the style sheet. */
export interface Series {
  readonly name: string;
  readonly values: readonly number[];
  readonly tone: Tone;
}

export type Tone = "accent" | "good" | "warn" | "bad" | "quiet";

interface ColumnsProps {
  readonly label: string;
  readonly days: readonly string[];
  readonly series: readonly Series[];
  readonly format?: (value: number) => string;
}

export function Columns({ label, days, series, format = String }: ColumnsProps): JSX.Element {
  const [figure, width] = useWidth();
  const end = axisEnd(Math.max(...series.flatMap(({ values }) => values), 1));
  const group = (width - LEFT) / Math.max(1, days.length);
  const column = Math.min(24, (group * 0.8) / series.length);
  const height = (value: number): number => ((HEIGHT - TOP - BOTTOM) * value) / end;
  return (
    <figure class="plot" ref={figure}>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label={label}>
        <Axis {...{ end, width, height, format }} />
        {days.map((day, index) => (
          <g key={day}>
            <title>{`${day}: ${series.map(({ name, values }) => `${name} ${format(values[index] ?? 0)}`).join(", ")}`}</title>
            {series.map(({ name, values, tone }, place) => (
              <rect
                key={name}
                class={`tone ${tone}`}
                x={LEFT + group * index + place * column}
                y={HEIGHT - BOTTOM - height(values[index] ?? 0)}
                width={column * 0.9}
                height={height(values[index] ?? 0)}
              />
            ))}
          </g>
        ))}
        <DayNames {...{ days, group, width }} />
      </svg>
      <Legend of={series} />
    </figure>
  );
}

/** A picture is as wide as its place, so that its words are as large as others. */
function useWidth(): [RefObject<HTMLElement | null>, number] {
  const place = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(WIDTH_MIN);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(([seen]) =>
      setWidth(Math.max(WIDTH_MIN, Math.floor(seen?.contentRect.width ?? 0))),
    );
    if (place.current !== null) {
      watch.observe(place.current);
    }
    return () => watch.disconnect();
  }, []);
  return [place, width];
}

interface AxisProps {
  readonly end: number;
  readonly width: number;
  readonly height: (value: number) => number;
  readonly format: (value: number) => string;
}

function Axis({ end, width, height, format }: AxisProps): JSX.Element {
  return (
    <g class="axis">
      {[0, end / 2, end].map((value) => (
        <g key={value}>
          <line x1={LEFT} x2={width} y1={HEIGHT - BOTTOM - height(value)} y2={HEIGHT - BOTTOM - height(value)} />
          <text x={LEFT - 6} y={HEIGHT - BOTTOM - height(value) + 4} text-anchor="end">
            {format(value)}
          </text>
        </g>
      ))}
    </g>
  );
}

interface DayNamesProps {
  readonly days: readonly string[];
  readonly group: number;
  readonly width: number;
}

function DayNames({ days, group, width }: DayNamesProps): JSX.Element {
  const language = useLanguage();
  const every = Math.ceil(DAY_NAME / group);
  return (
    <g class="axis">
      {days.map((day, index) =>
        index % every === 0 && LEFT + group * index + DAY_NAME / 2 <= width ? (
          <text key={day} x={LEFT + group * index} y={HEIGHT - 4}>
            {shortDay(day, language)}
          </text>
        ) : null,
      )}
    </g>
  );
}

function Legend({ of }: { readonly of: readonly Pick<Series, "name" | "tone">[] }): JSX.Element {
  return (
    <ul class="legend">
      {of.map(({ name, tone }) => (
        <li key={name}>
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <rect class={`tone ${tone}`} width="10" height="10" />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}

/** One bar, of parts that stand beside each other. */
export interface Bar {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly value: number; readonly tone: Tone }[];
}

export function Bars({ label, bars }: { readonly label: string; readonly bars: readonly Bar[] }): JSX.Element {
  const longest = Math.max(...bars.map(sumOf), 1);
  const parts = bars[0]?.parts ?? [];
  return (
    <>
      <ul class="bars" aria-label={label}>
        {bars.map((bar, place) => (
          <li key={`${place} ${bar.name}`}>
            <span class="bar-name">{bar.name}</span>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              {bar.parts.map(({ name, value, tone }, index) => (
                <rect
                  key={name}
                  class={`tone ${tone}`}
                  x={(sumOf({ parts: bar.parts.slice(0, index) }) / longest) * 100}
                  width={(value / longest) * 100}
                  height="10"
                >
                  <title>{`${name}: ${value}`}</title>
                </rect>
              ))}
            </svg>
            <span class="number">{sumOf(bar)}</span>
          </li>
        ))}
      </ul>
      {parts.length > 1 && <Legend of={parts} />}
    </>
  );
}

function sumOf({ parts }: Pick<Bar, "parts">): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}
