import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { DomainEvent } from "../../src/board/events.ts";
import { Feed, type Shelf } from "../../src/board/feed.ts";
import type { Ledger } from "../../src/board/ledger.ts";

const RESTORED = 2 ** 40;

/** Keeps as IndexedDB does: a copy of what was the ledger then. */
class MemoryShelf implements Shelf {
  kept: Ledger | undefined;
  isFull = false;

  read(): Promise<Ledger | undefined> {
    return Promise.resolve(structuredClone(this.kept));
  }

  write(ledger: Ledger): Promise<void> {
    if (this.isFull) {
      return Promise.reject(new Error("full"));
    }
    this.kept = structuredClone(ledger);
    return Promise.resolve();
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function opened(position: number): readonly [number, DomainEvent] {
  const type = "ticketsync.ticket.opened.v1";
  return [position, { type, subject: `t${position}`, time: "2026-11-26T04:00:00.000Z", data: { lifecycle: "x" } }];
}

function feedOf(shelf: Shelf): { feed: Feed; again: ReturnType<typeof vi.fn> } {
  const again = vi.fn();
  return { feed: new Feed("UTC", shelf, again), again };
}

function openedIn(feed: Feed): number {
  return [...feed.picture.snapshot().ledger.days.values()].reduce((sum, { opened: count }) => sum + count, 0);
}

test("a page that is opened again goes on where the last one was kept", async () => {
  const shelf = new MemoryShelf();
  const { feed: first } = feedOf(shelf);
  await first.begin();
  first.heard(...opened(3));
  await first.close();
  const { feed } = feedOf(shelf);

  expect(await feed.begin()).toBe(3);
  expect(openedIn(feed)).toBe(1);
  expect(feed.picture.snapshot().isHeard).toBe(true);
});

test("what came after the ledger was kept is asked for again and counted once", async () => {
  const shelf = new MemoryShelf();
  const { feed: first } = feedOf(shelf);
  await first.begin();
  first.heard(...opened(3));
  await first.keep();
  first.heard(...opened(4)); // the page is lost here
  const { feed } = feedOf(shelf);

  expect(await feed.begin()).toBe(3);
  feed.heard(...opened(4));
  expect(openedIn(feed)).toBe(2);
});

test("after a restore the figures begin anew, and what the old socket still tells is not counted", async () => {
  const { feed, again } = feedOf(new MemoryShelf());
  await feed.begin();
  feed.heard(...opened(3));
  await feed.begin();
  feed.heard(...opened(3 + RESTORED));
  feed.heard(...opened(4 + RESTORED));

  expect(again).toHaveBeenCalledOnce();
  expect(await feed.begin()).toBe(0);
  feed.heard(...opened(2));
  feed.heard(...opened(3 + RESTORED)); // the gap is a part of the log that is told from its beginning
  expect(openedIn(feed)).toBe(2);
  expect(again).toHaveBeenCalledOnce();
});

test("a service that has not reached the position is another one", async () => {
  const { feed } = feedOf(new MemoryShelf());
  await feed.begin();
  feed.heard(...opened(3));
  feed.anew();

  expect(await feed.begin()).toBe(0);
  expect(openedIn(feed)).toBe(0);
});

test("many events make one picture, and are kept together", async () => {
  const shelf = new MemoryShelf();
  const { feed } = feedOf(shelf);
  const pictures = vi.fn();
  await feed.begin();
  feed.picture.subscribe(pictures);
  for (let position = 1; position <= 50; position += 1) {
    feed.heard(...opened(position));
  }
  await vi.advanceTimersByTimeAsync(200);
  expect(pictures).toHaveBeenCalledOnce();
  expect(shelf.kept).toBeUndefined();

  await vi.advanceTimersByTimeAsync(2_000);
  expect(shelf.kept?.position).toBe(50);
});

test("while much that has happened is told, the picture says so", async () => {
  const { feed } = feedOf(new MemoryShelf());
  await feed.begin();
  for (let position = 1; position <= 100; position += 1) {
    feed.heard(...opened(position));
  }
  await vi.advanceTimersByTimeAsync(200);
  expect(feed.picture.snapshot().isBehind).toBe(true);

  feed.heard(...opened(101));
  await vi.advanceTimersByTimeAsync(200);
  expect(feed.picture.snapshot().isBehind).toBe(false);
});

test("a browser that keeps nothing is told, and the figures go on", async () => {
  const shelf = new MemoryShelf();
  shelf.isFull = true;
  const { feed } = feedOf(shelf);
  await feed.begin();
  feed.heard(...opened(1));
  await feed.keep();

  expect(feed.picture.snapshot().isKept).toBe(false);
  expect(openedIn(feed)).toBe(1);
});
