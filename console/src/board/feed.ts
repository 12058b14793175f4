/** Brings the events into the ledger: where to begin, what to keep, and when to begin anew. Opens no socket itself. */

import { Cell } from "../store/observable.ts";
import { type DomainEvent, hear } from "./events.ts";
import { follow, isLedger, type Ledger, newLedger } from "./ledger.ts";

const RESTORED = 2 ** 40; // so many positions a service skips that was restored from a backup
const TOLD_MS = 200; // between two pictures, however fast events come
const MANY = 100; // events in that time: what has happened is being told, and not what happens
const KEPT_MS = 2_000; // between two times that the ledger is kept; what is lost is heard again

/** Where a ledger is kept. */
export interface Shelf {
  read(): Promise<Ledger | undefined>;
  write(ledger: Ledger): Promise<void>;
}

/** What the board knows now. The ledger grows in place, so a new picture is a new object around it. */
export interface Picture {
  readonly ledger: Ledger;
  readonly isHeard: boolean; // the service, or what was kept, has told something
  readonly isBehind: boolean; // there is much that was not told yet
  readonly isKept: boolean; // a reload goes on from here; false where this browser keeps nothing
}

export class Feed {
  readonly picture: Cell<Picture>;
  readonly #zone: string;
  readonly #shelf: Shelf;
  readonly #again: () => void;
  #isRead = false;
  #isResuming = false; // nothing was heard since the last beginning
  #isDeaf = false; // what comes was asked for by a ledger that is gone
  #untold = 0; // events since the last picture
  #telling: ReturnType<typeof setTimeout> | null = null;
  #keeping: ReturnType<typeof setTimeout> | null = null;

  /** `again` is to ask the service anew, from where `begin` says. */
  constructor(zone: string, shelf: Shelf, again: () => void) {
    this.#zone = zone;
    this.#shelf = shelf;
    this.#again = again;
    this.picture = new Cell({ ledger: newLedger(zone), isHeard: false, isBehind: false, isKept: true });
  }

  /** Say behind which position to begin. */
  async begin(): Promise<number> {
    if (!this.#isRead) {
      await this.#read();
    }
    this.#isResuming = true;
    this.#isDeaf = false;
    return this.picture.snapshot().ledger.position;
  }

  /** Take what was told. */
  heard(position: number, event: DomainEvent | null): void {
    const { ledger } = this.picture.snapshot();
    if (this.#isDeaf) {
      return;
    }
    if (this.#isResuming && ledger.position > 0 && position - ledger.position >= RESTORED) {
      this.anew(); // what the ledger counted after the backup never was
      this.#again();
      return;
    }
    this.#isResuming = false;
    follow(ledger, hear(position, event));
    this.#untold += 1;
    this.#telling ??= setTimeout(() => this.#tell(), TOLD_MS);
    this.#keeping ??= setTimeout(() => void this.keep(), KEPT_MS);
  }

  /** Forget everything: the service is another one than the ledger is of. */
  anew(): void {
    this.#isDeaf = true;
    this.picture.set({ ...this.picture.snapshot(), ledger: newLedger(this.#zone), isHeard: false });
  }

  /** Keep the ledger as it is now. */
  async keep(): Promise<void> {
    if (this.#keeping !== null) {
      clearTimeout(this.#keeping);
      this.#keeping = null;
      const isKept = await this.#shelf.write(this.picture.snapshot().ledger).then(
        () => true,
        () => false, // a full disk, or the person's data was just removed: the page says so and goes on
      );
      this.picture.set({ ...this.picture.snapshot(), isKept });
    }
  }

  /** End: keep what is not kept yet. */
  async close(): Promise<void> {
    this.#isDeaf = true;
    clearTimeout(this.#telling ?? undefined);
    await this.keep();
  }

  async #read(): Promise<void> {
    this.#isRead = true;
    const kept = await this.#shelf.read();
    if (isLedger(kept, this.#zone)) {
      this.picture.set({ ledger: kept, isHeard: true, isBehind: false, isKept: true });
    }
  }

  #tell(): void {
    const isBehind = this.#untold >= MANY;
    this.#untold = 0;
    this.#telling = isBehind ? setTimeout(() => this.#tell(), TOLD_MS) : null;
    this.picture.set({ ...this.picture.snapshot(), isHeard: true, isBehind });
  }
}
