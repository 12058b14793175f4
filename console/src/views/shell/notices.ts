/** Says on the desktop, if that is wished, that customers have written and what has become one's own to do. Never what. */

import { useEffect } from "preact/hooks";
import type { Console, TicketRow } from "../../store/types.ts";
import { ticketPath } from "../places.ts";
import { preferences } from "../preferences.ts";
import { go } from "../router.tsx";
import { say } from "../words.ts";
import { isOfOthers, type News, newsOf } from "./news.ts";

export function useNotices(console: Console, department: string): void {
  useEffect(() => {
    let before = console.tickets.snapshot();
    const unsubscribe = console.tickets.subscribe(() => {
      const after = console.tickets.snapshot();
      if (after !== before && document.visibilityState === "hidden") {
        for (const news of newsOf(before, after, department)) {
          tell(console, news, department).catch(reportError);
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

async function tell(console: Console, { row, isUnread, isGiven, owed }: News, department: string): Promise<void> {
  const { language } = preferences.snapshot();
  const isOurs = owed.length > 0 && isOfOthers(row, owed, await console.made(row.id));
  const said = [
    ...(isUnread ? [say(language, "notify_body", { count: row.unread })] : []),
    ...(isGiven ? [say(language, "filter_mine")] : []),
    ...(isOurs ? [say(language, "filter_owed")] : []),
  ];
  if (said.length > 0) {
    await notify(row, said.join(" · "), department);
  }
}

/** The worker shows it, since browsers of telephones let no page do so, and hears when it is clicked. */
async function notify(row: TicketRow, body: string, department: string): Promise<void> {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") {
    return;
  }
  const { language } = preferences.snapshot();
  const worker = await navigator.serviceWorker.ready;
  await worker.showNotification(row.title || say(language, "untitled"), {
    body,
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
