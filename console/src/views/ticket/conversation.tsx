/** The conversation with the customer, oldest first, kept at its end unless somebody reads above. */

import type { JSX } from "preact";
import { Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { OpenTicket, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { day } from "../dates.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { Composer } from "./composer.tsx";
import { TicketLink } from "./duplicate.tsx";
import { Message } from "./message.tsx";
import { useThread } from "./use_thread.ts";

const NEAR_PX = 80; // of the end: who is so near reads the newest

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
}

export function Conversation({ ticket, view }: Props): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const told = useThread(ticket, view);
  const count = told.length;
  // An answer goes where the customer wrote last in this ticket: of what a duplicate holds, nothing is asked any more.
  const asked = told.findLast(({ said, duplicate }) => said.message.kind === "customer" && duplicate === null);
  useLayoutEffect(() => {
    const { current } = box;
    if (current !== null && isAtEnd.current) {
      current.scrollTop = current.scrollHeight;
    }
  }, [count]);
  const { unread } = view.row;
  const unreadToo = told.filter(({ duplicate }) => duplicate !== null && duplicate.unread > 0);
  useEffect(() => {
    const read = (): void => {
      if (document.visibilityState === "visible") {
        for (const one of new Set([...(unread > 0 ? [ticket] : []), ...unreadToo.map((other) => other.ticket)])) {
          one.markRead().catch(reportError);
        }
      }
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [ticket, unread, unreadToo.length]);
  if (!view.canConverse) {
    return (
      <section class="conversation" aria-label={words("conversation")}>
        <p class="empty">{words("conversation_absent")}</p>
      </section>
    );
  }
  const scrolled = (element: HTMLElement): void => {
    isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
  };
  return (
    <section class="conversation" aria-labelledby="conversation-title">
      <h2 id="conversation-title">{words("conversation")}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key */}
      <div class="messages" ref={box} role="log" tabIndex={0} onScroll={(event) => scrolled(event.currentTarget)}>
        {count === 0 && <p class="empty">{words("conversation_none")}</p>}
        {told.map(({ said: { message }, ticket: of, duplicate }, place) => {
          const date = day(message.at, language);
          const before = told[place - 1];
          return (
            <Fragment key={message.id}>
              {(before === undefined || day(before.said.message.at, language) !== date) && <p class="day">{date}</p>}
              <Message ticket={of} message={message} duplicate={duplicate} />
            </Fragment>
          );
        })}
      </div>
      {view.row.duplicateOf === null ? (
        <Composer key={person.actor} ticket={ticket} asked={asked?.said.message ?? null} />
      ) : (
        <p class="notice">
          {words("duplicate_answer")} <TicketLink id={view.row.duplicateOf} />
        </p>
      )}
    </section>
  );
}
