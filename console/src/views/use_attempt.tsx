/** Doing something that may not work, and saying so where it was asked for. */

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Problem } from "../store/types.ts";
import { useLanguage, useWords } from "./preferences.ts";
import { reason } from "./reasons.ts";

interface Attempts {
  /**
   * Do it, unless something is under way that was begun here: whoever presses twice wants it once. What must not be left
   * out, as it differs from what is under way, is `beside` it.
   */
  readonly attempt: (what: () => Promise<unknown>, when?: "alone" | "beside") => void;
  readonly problem: Problem | null;
  readonly isBusy: boolean;
}

const underWay = new Set<Promise<void>>();

/** Load the page anew once nothing is under way that was begun before. */
export async function reload(): Promise<void> {
  await Promise.all(underWay);
  location.reload();
}

/** Whatever fails is told: by the words for its code. */
export function useAttempt(): Attempts {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const own = useRef(0); // how many are under way; a state would be known only once it is drawn
  const attempt: Attempts["attempt"] = (what, when = "alone") => {
    if (own.current > 0 && when === "alone") {
      return;
    }
    own.current += 1;
    setBusy(true);
    setProblem(null);
    const done = what()
      .then(
        () => undefined,
        (error: unknown) => setProblem(problemOf(error)),
      )
      .finally(() => {
        underWay.delete(done);
        own.current -= 1;
        setBusy(own.current > 0);
      });
    underWay.add(done);
  };
  return { attempt, problem, isBusy };
}

export function Failure({ problem }: { readonly problem: Problem | null }): JSX.Element | null {
  const words = useWords();
  const language = useLanguage();
  return problem && <p role="alert">{words("failed", { message: reason(language, problem.code) })}</p>;
}

function problemOf(error: unknown): Problem {
  const { code, message } = Object(error) as Record<string, unknown>;
  return { code: typeof code === "string" ? code : "error", message: String(message ?? error) };
}
