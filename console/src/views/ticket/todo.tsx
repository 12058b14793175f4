/** What is owed, as a list to work off: one's own first, each with the moves that discharge it. */

import type { JSX } from "preact";
import { known, type Lifecycle, label } from "../../lifecycle/model.ts";
import type { OpenTicket, TicketView } from "../../store/types.ts";
import { movesLabel } from "../owed.ts";
import { useLanguage, useWords } from "../preferences.ts";
import { Failure } from "../use_attempt.tsx";
import { asksFirst, useMoves } from "./use_moves.tsx";

interface Props {
  readonly ticket: OpenTicket;
  readonly view: TicketView;
  readonly lifecycle: Lifecycle;
}

export function Todo({ ticket, view, lifecycle }: Props): JSX.Element {
  const words = useWords();
  const language = useLanguage();
  const { start, problem, isBusy, dialog } = useMoves(ticket, lifecycle);
  return (
    <section aria-labelledby="todo-title" class="todo">
      <h2 id="todo-title">{words("todo")}</h2>
      {view.obligations.length === 0 && <p class="quiet">{words("todo_none")}</p>}
      <ul>
        {view.obligations.map((owed, place) => (
          <li key={`${place} ${[...owed.owes.keys()].join()}`}>
            {[...owed.owes].map(([lane, names]) => {
              const possible = view.moves.filter(
                (move) => move.lane === lane && names.includes(move.name) && move.why === null,
              );
              const department = label(lifecycle, known(lifecycle.lanes, lane).owner, language);
              return (
                <div key={lane} class="owed-line">
                  <span>
                    {movesLabel(lifecycle, lane, names, language)}{" "}
                    <span class="quiet">
                      {words(possible.length > 0 ? "todo_yours" : "todo_theirs", { department })}
                    </span>
                  </span>
                  {possible.map((move) => (
                    <button key={move.name} type="button" disabled={isBusy} onClick={() => start(move)}>
                      {label(lifecycle, `${lane}.${move.name}`, language)}
                      {asksFirst(move) && "…"}
                    </button>
                  ))}
                </div>
              );
            })}
          </li>
        ))}
      </ul>
      <Failure problem={problem} />
      {dialog}
    </section>
  );
}
