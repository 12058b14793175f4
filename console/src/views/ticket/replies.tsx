/** The replies that the department has ready, asked for when somebody looks for one. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { OpenTicket, Reply } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { Dialog } from "../dialog.tsx";
import { useLanguage, useWords } from "../preferences.ts";
import { usePageCommands } from "../shell/commands.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";

interface Props {
  readonly ticket: OpenTicket;
  readonly insert: (text: string) => void;
}

export function Replies({ ticket, insert }: Props): JSX.Element {
  const { console } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const [replies, setReplies] = useState<readonly Reply[] | null>(null);
  const [isOpen, setOpen] = useState(false);
  const { attempt, problem } = useAttempt();
  const open = (): void => {
    setOpen(true);
    attempt(async () => setReplies(await console.replies(ticket.id)));
  };
  usePageCommands([{ label: words("replies"), run: open }], ticket.id);
  const inWords = (texts: Reply["text"]): string => texts[language] ?? Object.values(texts)[0] ?? "";
  const choose = (reply: Reply): void => {
    setOpen(false);
    insert(inWords(reply.text));
  };
  return (
    <>
      <button type="button" onClick={open}>
        {words("replies")}
      </button>
      {isOpen && (
        <Dialog label={words("replies")} close={() => setOpen(false)}>
          <h2>{words("replies")}</h2>
          <Failure problem={problem} />
          {replies?.length === 0 && <p>{words("replies_none")}</p>}
          <ul class="replies">
            {replies?.map((reply) => (
              <li key={reply.id}>
                <button type="button" onClick={() => choose(reply)}>
                  <b>{inWords(reply.title)}</b>
                  <span>{inWords(reply.text)}</span>
                </button>
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </>
  );
}
