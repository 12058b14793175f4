/** One field that is saved when it is left, or with Enter; what others write meanwhile is shown unless one is typing. */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useState } from "preact/hooks";
import type { Scalar } from "../../store/types.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";

interface Props {
  readonly label: string;
  readonly value: Scalar;
  readonly save: (text: string) => Promise<void>;
  readonly readOnly?: boolean;
  readonly list?: string;
}

const SHOWN_MAX = 4_096; // of a text that somebody has blown up

export function Field({ label, value, save, readOnly = false, list }: Props): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  const { attempt, problem } = useAttempt();
  const shown = value === null ? "" : String(value).slice(0, SHOWN_MAX);
  const done = (): void => {
    if (typed !== null && typed !== shown) {
      attempt(() => save(typed));
    }
    setTyped(null);
  };
  const pressed = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    if (event.key === "Enter" && !event.isComposing) {
      event.currentTarget.blur();
    } else if (event.key === "Escape" && typed !== null) {
      event.stopPropagation();
      setTyped(null);
    }
  };
  return (
    <div class="field">
      <label>
        <span class="field-name">{label}</span>
        <input
          value={typed ?? shown}
          readOnly={readOnly}
          maxLength={SHOWN_MAX}
          list={list}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onBlur={done}
          onKeyDown={pressed}
        />
      </label>
      <Failure problem={problem} />
    </div>
  );
}
