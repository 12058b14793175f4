/** Internal notes: one text in which several people write at once, each with a caret that stays where it was. */

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { type Lifecycle, label } from "../../lifecycle/model.ts";
import type { Form, OpenTicket } from "../../store/types.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { Attachment } from "./attachment.tsx";
import { contentsIn } from "./note_contents.ts";
import { NotesBinding } from "./notes_binding.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly lifecycle: Lifecycle;
  readonly form: Form;
}

export function Notes({ ticket, lifecycle, form }: Props): JSX.Element | null {
  const words = useWords();
  const language = useLanguage();
  const area = useRef<HTMLTextAreaElement>(null);
  const text = ticket.notes(form.lane);
  useLayoutEffect(() => {
    if (area.current === null || text === null) {
      return;
    }
    const binding = new NotesBinding(area.current, text);
    return () => binding.release();
  }, [text]);
  const contents = useMemo(() => contentsIn(text?.toString() ?? ""), [text, form]); // a form is anew with each change
  if (text === null) {
    return null;
  }
  const lane = label(lifecycle, form.lane, language);
  return (
    <section class="notes">
      <label>
        <span class="heading">
          {words("notes")}: {lane}
        </span>{" "}
        <span class="quiet">{words(form.canWrite ? "notes_hint" : "read_only")}</span>
        <textarea ref={area} rows={5} readOnly={!form.canWrite} />
      </label>
      {contents.map(({ type, name, media }) => (
        <Attachment key={media.digest} ticket={ticket} type={type} name={name} media={media} />
      ))}
    </section>
  );
}
