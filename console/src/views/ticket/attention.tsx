/** What did not go as its author meant: told as what happened and what to do next, never as an error. */

import type { JSX } from "preact";
import { type Lifecycle, label } from "../../lifecycle/model.ts";
import type { OpenTicket, RefusedWork, TicketView } from "../../store/types.ts";
import { movesLabel } from "../owed.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { reason } from "../reasons.ts";
import { Failure, useAttempt } from "../use_attempt.tsx";
import { type Question, questionsOf, waysOn } from "./questions.ts";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

export function Attention({ ticket, view, lifecycle }: Props): JSX.Element | null {
  const words = useWords();
  const language = useLanguage();
  const questions = questionsOf(view);
  if (questions.length + view.refused.length + view.problems.length === 0) {
    return null;
  }
  return (
    <section class="questions" aria-label={words("filter_attention")}>
      {questions.map((question) => (
        <Told key={`${question.lane} ${question.what}`} question={question} view={view} lifecycle={lifecycle} />
      ))}
      {view.refused.length > 0 && <h2>{words("refused_work")}</h2>}
      {view.refused.map((work) => (
        <Refused key={work.id} ticket={ticket} work={work} lifecycle={lifecycle} />
      ))}
      {view.problems.length > 0 && <p>{words("problems")}</p>}
      {view.problems.map(({ code }) => (
        <p key={code} class="quiet">
          {reason(language, code)}
        </p>
      ))}
    </section>
  );
}

interface ToldProps {
  readonly question: Question;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

function Told({ question: { lane, what, steps }, view, lifecycle }: ToldProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const told = steps
    .map(({ name, actor }) => words("step_by", { step: label(lifecycle, `${lane}.${name}`, language), actor }))
    .join(words("and"));
  const ways = waysOn(lane, view);
  const moves = movesLabel(lifecycle, lane, ways.possible, language);
  return (
    <div class="told">
      <p>{words(`attention_${what}`, { steps: told })}</p>
      <p class="quiet">
        {moves && words(what === "contested" ? "next_decide" : "next_review", { moves })}
        {!moves && words("next_wait", { who: ways.who.map((role) => label(lifecycle, role, language)).join(", ") })}
      </p>
    </div>
  );
}

interface RefusedProps {
  readonly ticket: OpenTicket;
  readonly work: RefusedWork;
  readonly lifecycle: Lifecycle;
}

function Refused({ ticket, work, lifecycle }: RefusedProps): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { attempt, problem, isBusy } = useAttempt();
  const name = work.kind === "transition" ? label(lifecycle, work.label, language) : work.label;
  return (
    <div class="told">
      <p>
        {words("refused_kind", { kind: words(`kind_${work.kind}`), label: name })} {reason(language, work.code)}
      </p>
      <Failure problem={problem} />
      <div class="buttons">
        {work.canAgain && (
          <button type="button" disabled={isBusy} onClick={() => attempt(() => ticket.again(work.id))}>
            {words("do_again")}
          </button>
        )}
        <button type="button" disabled={isBusy} onClick={() => attempt(() => ticket.dismiss(work.id))}>
          {words("let_go")}
        </button>
      </div>
    </div>
  );
}
