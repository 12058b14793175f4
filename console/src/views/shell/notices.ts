/** Says in the title, and on the desktop if that is wished, that customers have written. Never what they wrote. */

import { useEffect } from "preact/hooks";
import type { Console, TicketRow } from "../../store/types.ts";
import { ticketPath } from "../places.ts";
import { preferences, useWords } from "../preferences.ts";
import { go } from "../router.tsx";
import { useReadable } from "../use.ts";
import { say } from "../words.ts";
import { newlyUnread } from "./newly_unread.ts";

export function useNotices(console: Console, department: string): void {
  const words = useWords();
  const { rows } = useReadable(console.tickets);
  const unread = rows.reduce((sum, row) => sum + row.unread, 0);
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) ${words("tickets")}` : words("tickets");
  }, [unread, words("tickets")]);
  useEffect(() => {
    let before = console.tickets.snapshot();
    return console.tickets.subscribe(() => {
      const after = console.tickets.snapshot();
      if (after !== before && document.visibilityState === "hidden") {
        for (const row of newlyUnread(before, after)) {
          notify(row, department);
        }
      }
      before = after;
    });
  }, [console, department]);
}

export function mayAskToNotify(): boolean {
  return "Notification" in globalThis && Notification.permission === "default";
}

function notify(row: TicketRow, department: string): void {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") {
    return;
  }
  const { language } = preferences.snapshot();
  const body = say(language, "notify_body", { count: row.unread });
  try {
    const notice = new Notification(row.title || say(language, "untitled"), { body, tag: row.id });
    notice.onclick = () => {
      focus();
      go(ticketPath(department, row.id));
      notice.close();
    };
  } catch (error) {
    if (!(error instanceof TypeError)) {
      throw error;
    }
    // Browsers of telephones have the class and let no page use it: there the title alone says so.
  }
}
