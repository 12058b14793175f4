/**
 * A console in Node for the stories of `tests/console`: told what to do and heard by JSON lines.
 *
 * It stands for one browser: what it keeps lives as long as the process does, and pages come and go in it. Whether the
 * browser is online, and whether somebody is signed in, is said by commands.
 */

import "fake-indexeddb/auto";

import { createInterface } from "node:readline";

import { createConsole } from "../../src/store/console.ts";
import type { Token } from "../../src/store/session.ts";
import type { Ticket } from "../../src/store/ticket.ts";
import { type Console, type OpenTicket, StoreError, type TicketView } from "../../src/store/types.ts";

const LIFE_MS = 120_000; // whatever the test does, this process ends
const NOWHERE = "ws://127.0.0.1:1";

const [, , origin = ""] = process.argv;
const say = (event: object): boolean => process.stdout.write(`${JSON.stringify(event)}\n`);

let isOnline = true;
let token: Token | null = null;
const live = new Set<WebSocket>();
const nativeFetch = globalThis.fetch;
const NativeSocket = globalThis.WebSocket;

globalThis.fetch = (...asked) => (isOnline ? nativeFetch(...asked) : Promise.reject(new TypeError("offline")));
globalThis.WebSocket = class extends NativeSocket {
  constructor(url: string | URL) {
    super(isOnline ? url : NOWHERE);
    live.add(this);
    this.addEventListener("close", () => live.delete(this));
  }
};

const memory = new Map<string, string>();
const storage = {
  getItem: (key: string) => memory.get(key) ?? null,
  setItem: (key: string, value: string) => void memory.set(key, value),
  removeItem: (key: string) => void memory.delete(key),
};
const askToken = (): Promise<Token | null> =>
  isOnline ? Promise.resolve(token) : Promise.reject(new StoreError("offline", "The service does not answer."));

/** A browser's tabs, by name. */
const tabs = new Map<string, { readonly page: Console; readonly open: Map<string, OpenTicket> }>();

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, one) => (one instanceof Map ? Object.fromEntries(one) : one)));

const shown = ({ lifecycle, moves, ...rest }: TicketView): object => ({
  ...(plain(rest) as object),
  knows: lifecycle !== null,
  enabled: moves.flatMap(({ lane, name, why }) => (why === null ? `${lane}.${name}` : [])),
});

type Command = Readonly<Record<string, string>> & {
  readonly fields?: Record<string, string>;
  readonly forget?: boolean;
  readonly up?: boolean;
  readonly token?: Token;
};

const tab = (name = "tab"): { readonly page: Console; readonly open: Map<string, OpenTicket> } => {
  const found = tabs.get(name);
  if (found === undefined) {
    throw new Error(`There is no tab ${name}.`);
  }
  return found;
};

const ticket = ({ tab: name, ticket: id = "" }: Command): OpenTicket => {
  const found = tab(name).open.get(id);
  if (found === undefined) {
    throw new Error(`The ticket ${id} is not open.`);
  }
  return found;
};

const opened = (name: string, id: string): void => {
  const { page, open } = tab(name);
  const one = page.open(id);
  open.set(id, one);
  const tell = (): boolean => say({ event: "content", document: `${name} ${id}`, content: shown(one.view.snapshot()) });
  one.view.subscribe(() => setImmediate(tell));
  tell();
};

const commands: Readonly<Record<string, (command: Command) => Promise<unknown> | unknown>> = {
  online: async ({ up = false }) => {
    isOnline = up;
    for (const socket of isOnline ? [] : [...live]) {
      socket.close();
    }
  },
  token: ({ token: given }) => {
    token = given ?? null;
  },
  start: async ({ tab: name = "tab" }) => {
    const page = await createConsole({ origin, memory: storage, askToken });
    if (page === null) {
      say({ event: "nobody" });
      return;
    }
    tabs.set(name, { page, open: new Map() });
    for (const what of ["session", "connection", "saved", "tickets"] as const) {
      const tell = (): boolean =>
        say({ event: "content", document: `${name} ${what}`, content: plain(page[what].snapshot()) });
      page[what].subscribe(() => setImmediate(tell));
      tell();
    }
  },
  stop: async ({ tab: name = "tab" }) => {
    await tab(name).page.close();
    tabs.delete(name);
  },
  signed_in: ({ tab: name }) => tab(name).page.signedIn(),
  sign_out: async ({ tab: name, forget = false }) => {
    await tab(name).page.signOut({ forget });
    say({ event: "databases", names: (await indexedDB.databases()).map((one) => one.name) });
  },
  open: ({ tab: name = "tab", ticket: id = "" }) => opened(name, id),
  release: (command) => ticket(command).release(),
  create: async ({ tab: name, title = "" }) => say({ event: "created", id: await tab(name).page.create(title) }),
  move: async (command) => {
    const { lane = "", name = "", fields } = command;
    say({ event: "moved", id: await ticket(command).move(lane, name, fields) });
  },
  say: (command) => ticket(command).say(command["text"] ?? ""),
  attach: (command) => {
    const file = new Blob([Buffer.from(command["content"] ?? "", "base64")], { type: command["type"] ?? "" });
    return ticket(command).attach(file, command["name"] ?? "", command["text"]);
  },
  card: (command) => ticket(command).setCard(command.fields ?? {}),
  form: (command) => ticket(command).setForm(command["lane"] ?? "", command.fields ?? {}),
  note: (command) => ticket(command).note(command["lane"] ?? "", command["text"] ?? ""),
  type: (command) => {
    const notes = ticket(command).notes(command["lane"] ?? "");
    notes?.insert(notes.length, command["text"] ?? "");
  },
  notes: (command) => say({ event: "notes", text: String(ticket(command).notes(command["lane"] ?? "")) }),
  take: (command) => ticket(command).take(command["lane"] ?? ""),
  again: (command) => ticket(command).again(command["id"] ?? ""),
  dismiss: (command) => ticket(command).dismiss(command["id"] ?? ""),
  explain: (command) => say({ event: "explained", lines: ticket(command).explain("en") }),
  spoil: (command) => {
    // What a faulty page would write: no card has this key.
    const { folder } = ticket(command) as Ticket;
    folder.doc("card").getMap("card").set("no_key_of_a_card", 1);
  },
  dropped: async ({ tab: name }) => say({ event: "dropped", texts: await tab(name).page.dropped() }),
};

setTimeout(() => process.exit(3), LIFE_MS);
const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit(0));
lines.on("line", async (line) => {
  const { do: name = "", ...command } = JSON.parse(line) as Command;
  try {
    await commands[name]?.(command);
  } catch (error) {
    if (!(error instanceof StoreError)) {
      throw error;
    }
    say({ event: "failed", do: name, code: error.code, message: error.message });
  }
  say({ event: "done", do: name });
});
