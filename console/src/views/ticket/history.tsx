/** What happened, newest first, and why the ticket stands where it does, in plain words. */

import type { JSX } from "preact";
import { type Lifecycle, label } from "../../lifecycle/model.ts";
import { instant } from "../../store/instants.ts";
import type { OpenTicket, Step, TicketView } from "../../store/types.ts";
import { ago, exactly } from "../dates.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { useNow } from "../use_now.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

export function WhyStage({ ticket }: Pick<Props, "ticket">): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  return (
    <section aria-labelledby="why-title" class="why">
      <h2 id="why-title">{words("why_stage")}</h2>
      <ul>
        {ticket.explain(language).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </section>
  );
}

export function History({ view, lifecycle }: Omit<Props, "ticket">): JSX.Element {
  const words = useWords();
  return (
    <section aria-labelledby="history-title" class="history">
      <h2 id="history-title">{words("history")}</h2>
      <ol reversed>
        {view.history.toReversed().map((step) => (
          <HistoryLine key={step.id} step={step} lifecycle={lifecycle} />
        ))}
      </ol>
    </section>
  );
}

interface LineProps {
  readonly step: Step;
  readonly lifecycle: Lifecycle;
}

function HistoryLine({ step, lifecycle }: LineProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const now = useNow();
  const isOpening = !lifecycle.lanes.get(step.lane)?.transitions.has(step.name) && step.name === "open";
  return (
    <li class={step.status.status}>
      <span class="what">
        {isOpening ? words("opened") : label(lifecycle, `${step.lane}.${step.name}`, language)}
        {!isOpening && <span class="quiet"> {label(lifecycle, step.lane, language)}</span>}
      </span>
      <span class="who">{step.actor}</span>
      <span class="quiet">
        {step.delivery === "saved" ? words(step.status.status) : words(`step_${step.delivery}`)}
      </span>
      <time dateTime={instant(step.at)} title={exactly(step.at, language)}>
        {ago(step.at, now, language)}
      </time>
    </li>
  );
}
