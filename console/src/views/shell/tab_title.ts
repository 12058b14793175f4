/** The title of the tab: how many messages of customers nobody has read, and which page this is. */

import { useEffect } from "preact/hooks";
import type { Console } from "../../store/types.ts";
import { preferences, useWords } from "../preferences.ts";
import { useReadable } from "../use.ts";
import { say } from "../words.ts";

/** Name the tab by its ticket, or as the board, or as the list where `ticket` is null. */
export function useTabTitle(console: Console, ticket: string | null, isBoard: boolean): void {
  const words = useWords();
  const { rows } = useReadable(console.tickets);
  const unread = rows.reduce((sum, row) => sum + row.unread, 0);
  const shown = ticket === null ? undefined : rows.find(({ id }) => id === ticket);
  const name =
    shown === undefined ? words(isBoard ? "board" : "tickets") : shown.title || shown.customer || words("untitled");
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) ${name}` : name;
  }, [unread, name]);
  useEffect(
    () => () => {
      document.title = say(preferences.snapshot().language, "tickets"); // whoever comes next reads nothing of it
    },
    [],
  );
}
