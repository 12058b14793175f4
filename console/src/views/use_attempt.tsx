/** Doing something that may not work, and saying so where it was asked for. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Problem } from "../store/types.ts";
import { useLanguage, useWords } from "./preferences.ts";
import { reason } from "./reasons.ts";

interface Attempts {
  readonly attempt: (what: () => Promise<unknown>) => void;
  readonly problem: Problem | null;
  readonly isBusy: boolean;
}

const underWay = new Set<Promise<void>>();

/** Resolve once nothing is under way that was begun before. */
export async function allDone(): Promise<void> {
  await Promise.all(underWay);
}

/** Whatever fails is told: by the words for its code. */
export function useAttempt(): Attempts {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const attempt = (what: () => Promise<unknown>): void => {
    setBusy(true);
    setProblem(null);
    const done = what()
      .then(
        () => undefined,
        (error: unknown) => setProblem(problemOf(error)),
      )
      .finally(() => {
        underWay.delete(done);
        setBusy(false);
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
