/** The operations board, which is loaded when somebody goes there: most people never do. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useDesk } from "./context.ts";
import { useWords } from "./preferences.ts";
import { askForBuild } from "./shell/build.ts";
import { Failure, reload, useAttempt } from "./use_attempt.tsx";

type Board = typeof import("../board/board.tsx")["OperationsBoard"];

export function BoardPage(): JSX.Element {
  const { console, person } = useDesk();
  const words = useWords();
  const { attempt, problem } = useAttempt();
  const [Loaded, setLoaded] = useState<Board | null>(null);
  const load = async (): Promise<void> => {
    try {
      const { OperationsBoard } = await import("../board/board.tsx");
      setLoaded(() => OperationsBoard);
    } catch (error) {
      await askForBuild(); // the board of an older build is gone once there is a newer one
      throw error;
    }
  };
  useEffect(() => attempt(load), []);
  if (Loaded !== null) {
    return <Loaded console={console} person={person} />;
  }
  return (
    <main class="page">
      {problem === null && <p role="status">{words("loading")}</p>}
      <Failure problem={problem} />
      {problem !== null && ( // a browser does not ask again for a file that did not come
        <button type="button" onClick={reload}>
          {words("reload")}
        </button>
      )}
    </main>
  );
}
