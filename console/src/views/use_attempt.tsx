/** Doing something that may not work, and saying so where it was asked for. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Problem } from "../store/types.ts";
import { useWords } from "./preferences.ts";

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

/** Whatever fails is told: an error of the store by its sentence, any other by its own. */
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
  return problem && <p role="alert">{words("failed", { message: problem.message || problem.code })}</p>;
}

function problemOf(error: unknown): Problem {
  const { code, message } = Object(error) as Record<string, unknown>;
  return { code: typeof code === "string" ? code : "error", message: String(message ?? error) };
}
