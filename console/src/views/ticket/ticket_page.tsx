/** One ticket: what it is and where it stands at the head, the conversation in the middle, all else at the side. */

import "./style.css";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { label } from "../../lifecycle/model.ts";
import type { OpenTicket } from "../../store/types.ts";
import { useDesk } from "../context.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { backToList, go, Link } from "../router.tsx";
import { Guard } from "../shell/guard.tsx";
import { useReadable } from "../use.ts";
import { useKeys } from "../use_keys.ts";
import { Attention } from "./attention.tsx";
import { Card } from "./card.tsx";
import { Conversation } from "./conversation.tsx";
import { DuplicateOf, MarkDuplicate } from "./duplicate.tsx";
import { Forms } from "./forms.tsx";
import { History, WhyStage } from "./history.tsx";
import { LifecyclePicture } from "./lifecycle_picture.tsx";
import { Past } from "./past.tsx";
import { TicketHead } from "./ticket_head.tsx";
import { Todo } from "./todo.tsx";

export function TicketPage({ id }: { readonly id: string }): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const [ticket, setTicket] = useState<OpenTicket | null>(null);
  useEffect(() => {
    const opened = console.open(id);
    setTicket(opened);
    return () => opened.release();
  }, [console, id]);
  useKeys((key) => {
    if (key !== "Escape") {
      return false;
    }
    go(backToList(person.department));
    return true;
  });
  if (ticket === null || ticket.id !== id) {
    return (
      <main class="page">
        <p role="status">{words("loading")}</p>
      </main>
    );
  }
  return <Opened ticket={ticket} />;
}

function Opened({ ticket }: { readonly ticket: OpenTicket }): JSX.Element {
  const { person } = useDesk();
  const words = useWords();
  const language = useLanguage();
  const view = useReadable(ticket.view);
  const { lifecycle } = view;
  if (view.status !== "ready") {
    return (
      <main class="page">
        <p role="status">{words(view.status === "loading" ? "loading" : "absent")}</p>
        <Link to={backToList(person.department)}>{words("back")}</Link>
      </main>
    );
  }
  return (
    <main class="ticket-page">
      <TicketHead
        view={view}
        stage={lifecycle === null || view.stage === null ? null : label(lifecycle, view.stage, language)}
      />
      <div class="ticket-main">
        <Guard>
          <DuplicateOf ticket={ticket} view={view} />
          {lifecycle !== null && <Attention ticket={ticket} view={view} lifecycle={lifecycle} />}
          {lifecycle !== null && <Todo ticket={ticket} view={view} lifecycle={lifecycle} />}
        </Guard>
        <Guard>
          <Conversation ticket={ticket} view={view} />
        </Guard>
        <Guard>{lifecycle !== null && <History view={view} lifecycle={lifecycle} />}</Guard>
      </div>
      <aside class="ticket-side" aria-label={words("details")}>
        <Guard>{lifecycle !== null && <LifecyclePicture ticket={ticket} view={view} lifecycle={lifecycle} />}</Guard>
        <Guard>
          <WhyStage ticket={ticket} />
        </Guard>
        <Guard>
          <Card ticket={ticket} view={view} />
          {lifecycle !== null && <Forms ticket={ticket} view={view} lifecycle={lifecycle} />}
          <Past ticket={ticket} />
          <MarkDuplicate ticket={ticket} view={view} />
        </Guard>
      </aside>
    </main>
  );
}
