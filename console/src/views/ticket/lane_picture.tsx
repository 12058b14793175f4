/**
 * One lane as a picture: its states, the arrows between them, and where it stands. A list for who does not see it. It is
 * as wide as its column, but no smaller than can be read; only then does it scroll.
 */

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { type Lane, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Move } from "../../store/types.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { drawingOf, HEIGHT, WIDTH } from "./lane_drawing.ts";
import { type Arrow, layoutOf, membersOf } from "./lane_layout.ts";

const SHRINKS_TO = 0.58; // of its own size; the words of states are 9 pixels high then

interface Props {
  readonly lifecycle: Lifecycle;
  readonly lane: Lane;
  readonly value: string;
  readonly moves: readonly Move[];
}

export function LanePicture({ lifecycle, lane, value, moves }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { width, height, states, arrows } = useMemo(() => drawingOf(layoutOf(lane)), [lane]);
  const members = membersOf(lane, value);
  const head = `head-${lane.id}`;
  const enabled = new Set(moves.filter(({ why }) => why === null).map(({ name }) => name));
  const isLive = ({ name, from }: Arrow): boolean => enabled.has(name) && members.has(from);
  const inOrder = arrows.toSorted((one, other) => Number(isLive(one.arrow)) - Number(isLive(other.arrow)));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key
    <section class="lane-picture" aria-label={label(lifecycle, lane.id, language)} tabIndex={0}>
      <div
        class="lane-canvas"
        style={{
          maxWidth: `${width}px`,
          minWidth: `${width * SHRINKS_TO}px`,
          aspectRatio: `${width} / ${height}`,
          "--px": `${100 / width}cqw`,
        }}
      >
        <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          <marker id={head} viewBox="0 0 6 6" refX="6" refY="3" markerWidth="5" markerHeight="5" orient="auto">
            <path class="arrow-head" d="M0 0 L6 3 L0 6 z" />
          </marker>
          {inOrder.map(({ arrow, path }) => (
            <path
              key={`${arrow.name} ${arrow.from}`}
              d={path}
              marker-end={`url(#${head})`}
              class={isLive(arrow) ? "arrow live" : "arrow"}
            />
          ))}
        </svg>
        <ol>
          {states.map(({ state, left, top }) => (
            <li
              key={state}
              class={members.has(state) ? `state current${members.size > 1 ? " contested" : ""}` : "state"}
              style={{ left: px(left), top: px(top), width: px(WIDTH), height: px(HEIGHT) }}
            >
              <span>{label(lifecycle, `${lane.id}.${state}`, language)}</span>
              {members.has(state) && <span class="visually-hidden">({words("current")})</span>}
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}

/** A length in the picture's own pixels. */
function px(length: number): string {
  return `calc(${length} * var(--px))`;
}
