/** One message: who, when, its parts as text or as what was fetched for it, and how far it got. */

import type { JSX } from "preact";
import { instant } from "../../store/instants.ts";
import type { ChatMessage, MessagePart, OpenTicket, TicketRow } from "../../store/types.ts";
import { clock, exactly } from "../dates.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { reason } from "../reasons.ts";
import { Attachment } from "./attachment.tsx";
import { deliveryWord } from "./delivery_word.ts";
import { piecesOf } from "./links.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly message: ChatMessage;
  readonly duplicate: TicketRow | null; // whose conversation it is of, if not the ticket's own
}

export function Message({ ticket, message, duplicate }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const side = message.kind === "customer" ? "theirs" : "ours";
  const isAside = message.kind === "system" || message.kind === "delivery" || message.kind === "unknown";
  return (
    <article class={`message ${isAside ? "aside" : side}`}>
      <header>
        <b title={message.author}>{message.author || words("customer")}</b>{" "}
        <time dateTime={instant(message.at)} title={exactly(message.at, language)}>
          {clock(message.at, Date.now(), language)}
        </time>
      </header>
      {duplicate !== null && (
        <p class="quiet">{words("duplicate_from", { title: duplicate.title || words("untitled") })}</p>
      )}
      {message.parts.map((part, place) => (
        // A message never changes, so the place of a part names it.
        <Part key={place} ticket={ticket} part={part} />
      ))}
      {message.kind === "agent" && <footer>{words(deliveryWord(message))}</footer>}
    </article>
  );
}

interface PartProps {
  readonly ticket: OpenTicket;
  readonly part: MessagePart;
}

function Part({ ticket, part }: PartProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  switch (part.type) {
    case "text":
      return (
        <>
          <p class="text">
            {piecesOf(part.text).map(({ text, href }, place) =>
              href === null ? (
                text
              ) : (
                <a key={place} href={href} target="_blank" rel="noopener noreferrer nofollow">
                  {text}
                </a>
              ),
            )}
          </p>
          {part.refusal !== undefined && (
            <p class="bad">{words("refused_to_send", { why: reason(language, part.refusal) })}</p>
          )}
        </>
      );
    case "location":
      return <p>{words("location", { ...part })}</p>;
    case "event":
      return <p class="quiet">{words("event", { event: part.event })}</p>;
    default:
      return <Attachment ticket={ticket} type={part.type} name={part.name} media={part.media} />;
  }
}
