/** The forms that this person may read, each with its fields and notes; only the owner's can be written. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { fieldLabel, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Form, OpenTicket, TicketView } from "../../store/types.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { useKept } from "../use_kept.ts";
import { Field } from "./field.tsx";
import { Notes } from "./notes.tsx";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

export function Forms({ ticket, view, lifecycle }: Props): JSX.Element {
  return (
    <>
      {view.forms.map((form) => (
        <FormBlock key={form.lane} ticket={ticket} form={form} lifecycle={lifecycle} />
      ))}
    </>
  );
}

interface FormProps {
  readonly ticket: OpenTicket;
  readonly form: Form;
  readonly lifecycle: Lifecycle;
}

function FormBlock({ ticket, form, lifecycle }: FormProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const name = words("form_of", { lane: label(lifecycle, form.lane, language) });
  const payloads = [...form.payloads.values()].flatMap((payload) => [...payload]);
  return (
    <section class="form" aria-label={name}>
      <h2>{name}</h2>
      {payloads.map(([field, value], place) => (
        <p key={place} class="payload">
          <span class="field-name">{fieldLabel(lifecycle, form.lane, field, language)}</span> {String(value)}
        </p>
      ))}
      {form.fields.size + payloads.length === 0 && <p class="quiet">{words("form_none")}</p>}
      {[...form.fields].map(([field, value]) => (
        <Field
          key={field}
          label={field}
          value={value}
          readOnly={!form.canWrite}
          save={(text) => ticket.setForm(form.lane, { [field]: text || null })}
        />
      ))}
      {form.canWrite && <AddField ticket={ticket} lane={form.lane} />}
      <Notes ticket={ticket} lifecycle={lifecycle} form={form} />
    </section>
  );
}

function AddField({ ticket, lane }: { readonly ticket: OpenTicket; readonly lane: string }): JSX.Element {
  const words = useWords();
  const [typed, keepTyped] = useKept(`field.${ticket.id}.${lane}`);
  const { name = "", value = "" } = typed;
  const [wasOpen] = useState(name !== "" || value !== "");
  const { attempt, problem } = useAttempt();
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    attempt(async () => {
      await ticket.setForm(lane, { [name.trim()]: value });
      keepTyped(null);
    });
  };
  return (
    <details open={wasOpen}>
      <summary>{words("add_field")}</summary>
      <form class="add-field" onSubmit={add}>
        <input
          required
          maxLength={64}
          aria-label={words("field")}
          placeholder={words("field")}
          value={name}
          onInput={(event) => keepTyped({ ...typed, name: event.currentTarget.value })}
        />
        <input
          maxLength={1000}
          aria-label={words("value")}
          placeholder={words("value")}
          value={value}
          onInput={(event) => keepTyped({ ...typed, value: event.currentTarget.value })}
        />
        <button type="submit">{words("save")}</button>
        <Failure problem={problem} />
      </form>
    </details>
  );
}
