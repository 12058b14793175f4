/** Two people share one browser: who has left is not found again, in no tab and through no cookie. */

import "fake-indexeddb/auto";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openBoard } from "../../src/board/open.ts";
import { createConsole } from "../../src/store/console.ts";
import { endLeft, leave } from "../../src/store/leaving.ts";
import { SessionKeeper, type Token } from "../../src/store/session.ts";
import type { Console } from "../../src/store/types.ts";

const ORIGIN = "http://desk.example";
const PERSON = "crdt-sync person";
const ANN = { actor: "ann", department: "sales", roles: ["sales"] };
const BEA = { actor: "bea", department: "tech", roles: ["tech"] };

const tokenOf = (person: typeof ANN): Token => ({ ...person, token: person.actor, expires_at: Date.now() + 300_000 });

function memoryOf(person: typeof ANN | null): Storage {
  const kept = new Map(person === null ? [] : [[PERSON, JSON.stringify(person)]]);
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  } as Storage;
}

/** A socket that never opens. */
class Silent extends EventTarget {
  close(): void {}
}

/** What was asked, and what answers. */
let asked: string[] = [];
let answer: (request: string, signal?: AbortSignal) => Promise<Response>;

const opened: Console[] = [];
async function page(memory: Storage, askToken?: () => Promise<Token | null>): Promise<Console> {
  const made = await createConsole({ origin: ORIGIN, memory, ...(askToken && { askToken }) });
  if (made === null) {
    throw new Error("Somebody is remembered.");
  }
  opened.push(made);
  return made;
}

beforeEach(() => {
  asked = [];
  answer = () => Promise.reject(new TypeError("offline"));
  vi.stubGlobal("WebSocket", Silent);
  vi.stubGlobal("fetch", (url: string, { method = "GET", signal }: { method?: string; signal?: AbortSignal } = {}) => {
    const request = `${method} ${url.slice(ORIGIN.length)}`;
    asked.push(request);
    return answer(request, signal);
  });
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("signing out", () => {
  test("while the service is away is done before anybody gets a token", async () => {
    const memory = memoryOf(ANN);
    await (await page(memory)).signOut({ forget: false });
    expect(await createConsole({ origin: ORIGIN, memory })).toBeNull();
    expect(memory.getItem(PERSON)).toBeNull();

    asked = [];
    answer = (request) =>
      Promise.resolve(request.startsWith("DELETE") ? new Response(null, { status: 204 }) : Response.json(tokenOf(BEA)));
    expect((await page(memory)).session.snapshot()).toEqual({ status: "signed_in", person: BEA });
    expect(asked.slice(0, 2)).toEqual(["DELETE /api/session", "POST /api/session/token"]);
    await endLeft(ORIGIN, memory);
    expect(asked.filter((one) => one.startsWith("DELETE"))).toHaveLength(1);
  });

  test.each([429, 503])("is not done where the service answers %i", async (status) => {
    const memory = memoryOf(null);
    leave(memory);
    answer = () => Promise.resolve(new Response(null, { status }));
    for (const _ of [1, 2]) {
      await expect(endLeft(ORIGIN, memory)).rejects.toMatchObject({ code: "offline" });
    }
    expect(asked).toHaveLength(2);
  });

  test("does not wait for a network that says nothing", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    vi.spyOn(AbortSignal, "timeout").mockImplementation(() => AbortSignal.abort());
    answer = (_request, signal) => {
      signals.push(signal);
      return signal?.aborted ? Promise.reject(signal.reason) : new Promise(() => undefined);
    };
    const memory = memoryOf(null);
    leave(memory);
    await expect(endLeft(ORIGIN, memory)).rejects.toMatchObject({ code: "offline" });
    vi.restoreAllMocks();
  });

  test("ends every tab, which writes nothing after", async () => {
    const memory = memoryOf(ANN);
    let give: (token: Token) => void = () => undefined;
    const other = await page(memory, () => new Promise((resolve) => (give = resolve)));
    const waiting = other.tokens.token();
    await (await page(memory)).signOut({ forget: false });
    await vi.waitFor(() => expect(other.session.snapshot()).toEqual({ status: "signed_out" }));

    give(tokenOf(ANN));
    await expect(waiting).rejects.toMatchObject({ code: "signed_out" });
    await expect(other.tokens.token()).rejects.toMatchObject({ code: "signed_out" });
    expect(memory.getItem(PERSON)).toBeNull();
  });

  test("is seen by a tab that was told nothing", async () => {
    const memory = memoryOf(ANN);
    const other = await page(memory);
    other.lookAgain();
    expect(other.session.snapshot().status).toBe("signed_in");
    memory.setItem(PERSON, JSON.stringify(BEA));
    other.lookAgain();
    expect(other.session.snapshot()).toEqual({ status: "changed", person: ANN });
    memory.removeItem(PERSON);
    other.lookAgain();
    expect(other.session.snapshot()).toEqual({ status: "signed_out" });
  });
});

test("another person's token ends the page of the one before, and the browser is theirs", async () => {
  const memory = memoryOf(ANN);
  const keeper = new SessionKeeper(() => Promise.resolve(tokenOf(BEA)), memory);
  await expect(keeper.token()).rejects.toMatchObject({ code: "signed_out" });

  expect(keeper.session.snapshot()).toEqual({ status: "changed", person: ANN });
  expect(new SessionKeeper(() => Promise.resolve(null), memory).person).toEqual(BEA);
});

test("a board asks with its own person's tokens alone", async () => {
  vi.stubGlobal("location", { origin: ORIGIN });
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("localStorage", memoryOf(BEA));
  vi.stubGlobal("reportError", vi.fn());
  const tokens = { token: vi.fn(() => Promise.resolve("ann")), refused: vi.fn() };
  const board = openBoard(ANN, tokens, "UTC");
  await vi.waitFor(() => expect(asked).toContain("GET /api/service"));
  board.close();

  expect(tokens.token).toHaveBeenCalled();
  expect(asked.filter((one) => one.includes("session"))).toEqual([]);
});
