/**
 * One field that is saved when it is left, or with Enter; what others write meanwhile is shown unless one is typing. A
 * value that is too long to show is not edited here.
 */

import type { JSX, TargetedKeyboardEvent } from "preact";
import { useState } from "preact/hooks";
import type { Scalar } from "../../store/types.ts";
import { isComposed } from "../input_method.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { fieldText, SHOWN_MAX } from "./field_text.ts";

interface Props {
  readonly label: string;
  readonly value: Scalar;
  readonly save: (text: string) => Promise<void>;
  readonly readOnly?: boolean;
  readonly list?: string;
}

export function Field({ label, value, save, readOnly = false, list }: Props): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  const { attempt, problem } = useAttempt();
  const { text: shown, isWhole } = fieldText(value);
  const done = (): void => {
    if (typed !== null && typed !== shown) {
      attempt(() => save(typed), "beside");
    }
    setTyped(null);
  };
  const pressed = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    if (event.key === "Enter" && !isComposed(event)) {
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
          readOnly={readOnly || !isWhole}
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
