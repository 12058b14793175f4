/**
 * The service worker: starts the shell where there is no network, keeps nothing but the shell, and leads from a notice
 * on the desktop to its ticket.
 *
 * A page is asked for from the service first, so that a new build is seen at once; what is kept answers when the service
 * does not, or not in time. Files of a build have their hash in their name and are taken from what is kept.
 */

/** As much of a worker's scope as is used here: the types of workers and of pages do not stand in one program. */
interface Scope {
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
  addEventListener(type: "notificationclick", listener: (event: Clicked) => void): void;
  readonly clients: {
    claim(): Promise<void>;
    matchAll(options: { readonly type: "window" }): Promise<readonly Page[]>;
    openWindow(address: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
}

interface Extendable {
  waitUntil(what: Promise<unknown>): void;
}

interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Clicked extends Extendable {
  readonly notification: { readonly data: string; close(): void };
}

interface Page {
  readonly url: string;
  focus(): Promise<unknown>;
  postMessage(message: { readonly open: string }): void;
}

declare const __BUILD__: string; // written in when the build is whole, which a name survives and a text might not
declare const __FILES__: readonly string[];

const scope = globalThis as unknown as Scope;
const SHELL = "/";
const PAGE = /^\/(?:$|board$|console\/)/;
const KEPT = `shell-${__BUILD__}`;
const FILES: readonly string[] = [SHELL, ...__FILES__];
const PATIENCE_MS = 3_000; // in a lift the network is there and answers nothing

scope.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => scope.skipWaiting()));
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(forget().then(() => scope.clients.claim()));
});

scope.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (origin !== location.origin || event.request.method !== "GET") {
    return;
  }
  if (event.request.mode === "navigate" && PAGE.test(pathname)) {
    event.respondWith(page(event.request));
  } else if (pathname !== SHELL && FILES.includes(pathname)) {
    event.respondWith(file(event.request));
  }
});

scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});

async function keep(): Promise<void> {
  const cache = await caches.open(KEPT);
  await cache.addAll(FILES.map((name) => new Request(name, { cache: "no-cache" })));
}

/** A tab of a build before this one has loaded all that it needs but the board, and has been told to load anew. */
async function forget(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
}

async function page(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.status < 500 ? answer : await kept(SHELL, answer);
  } catch {
    return await kept(SHELL, Response.error());
  }
}

async function file(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? (await fetch(request));
}

async function kept(name: string, otherwise: Response): Promise<Response> {
  return (await caches.match(name)) ?? otherwise;
}

/** Go to a ticket, in a console that is open if there is one. */
async function open(path: string): Promise<void> {
  const pages = await scope.clients.matchAll({ type: "window" });
  const console = pages.find(({ url }) => PAGE.test(new URL(url).pathname));
  console?.postMessage({ open: path });
  await (console?.focus() ?? scope.clients.openWindow(path));
}
