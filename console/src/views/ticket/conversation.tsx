/** The conversation with the customer, oldest first, kept at its end unless somebody reads above. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { OpenTicket, TicketView } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useWords } from "../preferences.ts";
import { Composer } from "./composer.tsx";
import { Message } from "./message.tsx";

const NEAR_PX = 80; // of the end: who is so near reads the newest

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
}

export function Conversation({ ticket, view }: Props): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const count = view.messages.length;
  useLayoutEffect(() => {
    const { current } = box;
    if (current !== null && isAtEnd.current) {
      current.scrollTop = current.scrollHeight;
    }
  }, [count]);
  const { unread } = view.row;
  useEffect(() => {
    const read = (): void => {
      if (unread > 0 && document.visibilityState === "visible") {
        ticket.markRead().catch(reportError);
      }
    };
    read();
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, [ticket, unread]);
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
        {view.messages.map((message) => (
          <Message key={message.id} ticket={ticket} message={message} />
        ))}
      </div>
      <Composer key={person.actor} ticket={ticket} />
    </section>
  );
}
