/** Writing an answer: Enter sends, but not the one that ends a word of an input method; a draft outlives the page. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ChatMessage, OpenTicket, Writing } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { exactly } from "../dates.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { usePageCommands } from "../shell/commands.ts";
import { useUnsent } from "../unsent.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { useKept } from "../use_kept.ts";
import { useKeys } from "../use_keys.ts";
import { Replies } from "./replies.tsx";
import { isSend } from "./send_key.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly asked: ChatMessage | null; // what a customer wrote last: an answer goes there
}

export function Composer({ ticket, asked }: Props): JSX.Element {
  const words = useWords();
  const [{ text = "" }, keepText] = useKept(`draft.${ticket.id}`);
  const setText = (typed: string): void => keepText(typed ? { text: typed } : null);
  const [file, setFile] = useState<File | null>(null);
  useUnsent(file?.name ?? null);
  const area = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const { attempt, problem } = useAttempt();
  useKeys((key) => {
    if (key !== "r") {
      return false;
    }
    area.current?.focus();
    return true;
  });
  usePageCommands(
    [
      { label: words("answer"), run: () => area.current?.focus() },
      { label: `${words("attach")}…`, run: () => chooser.current?.click() },
    ],
    ticket.id,
  );
  const send = (): void => {
    const said = text.trim();
    if (!said && file === null) {
      return;
    }
    setText("");
    setFile(null);
    attempt(async () => {
      try {
        await (file === null ? ticket.say(said) : ticket.attach(file, file.name, said));
      } catch (error) {
        setText(text); // nothing was done, so nothing is taken away
        setFile(file);
        throw error;
      }
    }, "beside"); // what is sent has left the field already, and the next answer need not wait for a large file
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {asked !== null && asked.author !== "" && (
        <p class="quiet recipient" title={asked.author}>
          {words("answer_to", { name: asked.author })}
        </p>
      )}
      <MayWrite ticket={ticket} since={asked?.id ?? ""} />
      <textarea
        ref={area}
        rows={3}
        aria-label={words("answer")}
        placeholder={words("answer_hint")}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onPaste={(event) => {
          const pasted = event.clipboardData?.files[0];
          if (pasted !== undefined) {
            event.preventDefault();
            setFile(pasted);
          }
        }}
        onKeyDown={(event) => {
          if (isSend(event)) {
            event.preventDefault();
            send();
          }
        }}
      />
      {file !== null && (
        <p class="quiet">
          {words("attached", { name: file.name })}{" "}
          <button
            type="button"
            class="icon"
            aria-label={words("remove", { name: file.name })}
            onClick={() => setFile(null)}
          >
            ×
          </button>
        </p>
      )}
      <Failure problem={problem} />
      <div class="buttons">
        <Replies ticket={ticket} insert={(reply) => setText(text ? `${text}\n${reply}` : reply)} />
        <label class="button">
          {words("attach")}
          <input
            type="file"
            ref={chooser}
            class="visually-hidden"
            onChange={(event) => {
              setFile(event.currentTarget.files?.[0] ?? null);
              event.currentTarget.value = ""; // the same file may be chosen again
            }}
          />
        </label>
        <button type="submit" class="primary">
          {words("send")}
        </button>
      </div>
    </form>
  );
}

/** Whether the platform takes an answer now, asked with each word of the customer's; nothing while it is not known. */
function MayWrite({ ticket, since }: { readonly ticket: OpenTicket; readonly since: string }): JSX.Element | null {
  const { console } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const [writing, setWriting] = useState<Writing | null>(null);
  useEffect(() => {
    console.writing(ticket.id).then(setWriting, () => setWriting(null)); // offline nobody knows
  }, [console, ticket, since]);
  if (writing === null || !(writing.known || writing.over)) {
    return null;
  }
  if (!writing.may_write) {
    return <p class="notice">{words("may_not_write")}</p>;
  }
  return (
    <p class="quiet">
      {writing.closes_at !== null && words("closes_at", { time: exactly(Date.parse(writing.closes_at), language) })}{" "}
      {writing.left !== null && words("left_count", { count: writing.left })}
    </p>
  );
}
