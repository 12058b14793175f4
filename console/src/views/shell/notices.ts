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
    const unsubscribe = console.tickets.subscribe(() => {
      const after = console.tickets.snapshot();
      if (after !== before && document.visibilityState === "hidden") {
        for (const row of newlyUnread(before, after)) {
          notify(row, department).catch(reportError);
        }
      }
      before = after;
    });
    return () => {
      unsubscribe();
      closeAll().catch(reportError);
    };
  }, [console, department]);
  useEffect(() => {
    const clicked = ({ data }: MessageEvent<{ readonly open: string }>): void => go(data.open);
    navigator.serviceWorker?.addEventListener("message", clicked);
    return () => navigator.serviceWorker?.removeEventListener("message", clicked);
  }, []);
}

export function mayAskToNotify(): boolean {
  return "Notification" in globalThis && Notification.permission === "default";
}

/** The worker shows it, since browsers of telephones let no page do so, and hears when it is clicked. */
async function notify(row: TicketRow, department: string): Promise<void> {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") {
    return;
  }
  const { language } = preferences.snapshot();
  const worker = await navigator.serviceWorker.ready;
  await worker.showNotification(row.title || say(language, "untitled"), {
    body: say(language, "notify_body", { count: row.unread }),
    tag: row.id, // the next one of the ticket takes its place
    data: ticketPath(department, row.id),
  });
}

/** They outlive the page, and whoever sits here next is nobody whom they are for. */
async function closeAll(): Promise<void> {
  const worker = await navigator.serviceWorker.getRegistration();
  for (const notice of (await worker?.getNotifications()) ?? []) {
    notice.close();
  }
}
