/** The card, which all who take part share. */

import type { JSX } from "preact";
import type { OpenTicket, Scalar, TicketView } from "../../store/types.ts";
import { useWords } from "../preferences.ts";
import { PRIORITIES } from "../priorities.ts";
import { Field } from "./field.tsx";

const FIELDS = ["title", "customer", "priority", "tags"] as const;

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
}

export function Card({ ticket, view }: Props): JSX.Element {
  const words = useWords();
  const save = (field: string, text: string): Promise<void> => ticket.setCard({ [field]: text || null });
  return (
    <section aria-labelledby="card-title" class="card">
      <h2 id="card-title">{words("card")}</h2>
      {FIELDS.map((field) => (
        <Field
          key={field}
          label={words(field)}
          value={scalar(view.card.get(field))}
          save={(text) => save(field, text)}
          {...(field === "priority" ? { list: "priorities" } : {})}
        />
      ))}
      <datalist id="priorities">
        {PRIORITIES.map((priority) => (
          <option key={priority} value={priority} />
        ))}
      </datalist>
    </section>
  );
}

function scalar(value: Scalar | undefined): Scalar {
  return value ?? null;
}
