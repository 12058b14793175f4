/**
 * What is asked before a move is made: what it carries, field by field as the lifecycle declares it, all of the fields or
 * none of them; and whether the ticket shall end. No move can be undone, so the question comes before it.
 */

import type { InputHTMLAttributes, JSX } from "preact";
import { fieldLabel, type Lifecycle, label, type PayloadType } from "../../lifecycle/model.ts";
import type { Move, OpenTicket } from "../../store/types.ts";
import { Dialog } from "../dialog.tsx";
import { useLanguage, useWords } from "../preferences.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { useKept } from "../use_kept.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly lifecycle: Lifecycle;
  readonly move: Move;
  readonly close: () => void;
}

export function MoveDialog({ ticket, lifecycle, move, close }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const [values, keepValues] = useKept(`move.${ticket.id}.${move.lane}.${move.name}`);
  const end = (): void => {
    keepValues(null);
    close();
  };
  const { attempt, problem, isBusy } = useAttempt();
  const isFilled = Object.values(values).some(Boolean);
  const name = label(lifecycle, `${move.lane}.${move.name}`, language);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const payload = [...move.payload].map(([field, type]) => [field, fieldValue(type, values[field] ?? "")] as const);
    attempt(async () => {
      await ticket.move(move.lane, move.name, isFilled ? Object.fromEntries(payload) : undefined);
      end();
    });
  };
  return (
    <Dialog label={name} close={close}>
      <form onSubmit={submit}>
        <h2>{name}</h2>
        {move.ends !== null && <p>{words("move_ends", { stage: label(lifecycle, move.ends, language) })}</p>}
        {[...move.payload].map(([field, type]) => (
          <label key={field}>
            {fieldLabel(lifecycle, move.lane, field, language)} <span class="quiet">({words(type)})</span>
            <input
              required={isFilled}
              {...inputOf(type)}
              value={values[field] ?? ""}
              onInput={(event) => keepValues({ ...values, [field]: event.currentTarget.value })}
            />
          </label>
        ))}
        <Failure problem={problem} />
        <div class="buttons">
          <button type="button" onClick={end}>
            {words("cancel")}
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {name}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function inputOf(type: PayloadType): InputHTMLAttributes<HTMLInputElement> {
  switch (type) {
    case "integer":
      return { type: "number", step: 1 };
    case "date":
      return { type: "date" };
    case "money":
      return { type: "text", inputMode: "decimal", pattern: "-?[0-9]+(\\.[0-9]+)?", placeholder: "0.00" };
    default:
      return { type: "text", maxLength: 1000 };
  }
}

function fieldValue(type: PayloadType, text: string): string | number {
  return type === "integer" ? Number(text) : text;
}
