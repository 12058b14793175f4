/**
 * The way back after a reset, in order: keep, drop, open anew, sync, make again, store. One tab of a browser does it at a
 * time, and finds in the stored outbox what another one has made again.
 *
 * What a card or a form held is given to `keep`, and is not written back: a value that the service had acknowledged is
 * what the restore has undone. Edits that it had not taken are made again.
 */

import type { Copies, Kept, Outbox, Stored } from "./outbox.ts";

/** What differs from provider to provider. */
export interface Steps {
  /** Keep what is only in the old copies: offer it as a file. What is stored of the outbox stays as it is. */
  keep(): Promise<void> | void;
  /** Destroy providers and documents, and delete the local database. */
  drop(): Promise<void> | void;
  /** Open new documents, with a local database of another name; resolve when the service has given what it has. */
  open(): Promise<Copies>;
  /** Return what is stored of the outbox, by whichever tab. */
  stored(): Promise<Stored> | Stored;
  /** Store the outbox in its place. */
  store(outbox: Stored): Promise<void> | void;
}

/** Run `work` while nobody else with the same name does. */
export type Hold = <T>(name: string, work: () => Promise<T>) => Promise<T>;

interface Locks {
  request<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** Hold a name across all tabs where there are Web Locks, and else in this tab alone. */
export const acrossTabs: Hold = async (name, work) => {
  const { navigator } = globalThis as { navigator?: { locks?: Locks } };
  return navigator?.locks === undefined ? work() : navigator.locks.request(name, work);
};

/**
 * Come back to a ticket whose documents were made anew; return how many entries and edits were made again. Begin when of
 * every copy it is heard that it is of a former life, or synced: a provider takes what it hears later for its new copy's.
 */
export async function recover(ticket: string, outbox: Outbox, steps: Steps, hold: Hold = acrossTabs): Promise<number> {
  return hold(`crdt-sync recover ${ticket}`, async () => {
    await steps.keep();
    await steps.drop();
    const copies = await steps.open();
    const count = outbox.submitAgain(copies) + outbox.writeAgain(copies, await steps.stored());
    await steps.store(outbox.toJSON());
    return count;
  });
}

/**
 * Come back to a card or a form of which the service has refused an update: it would refuse this copy for ever. Return
 * the edits that it has not taken, the refused one among them, for whoever made them to do again.
 */
export async function giveUp(
  document: string,
  outbox: Outbox,
  steps: { drop(): Promise<void> | void; open(): Promise<void> | void },
  hold: Hold = acrossTabs,
): Promise<readonly Kept[]> {
  return hold(`crdt-sync give up ${document}`, async () => {
    const offered = outbox.untaken(document);
    await steps.drop();
    await steps.open();
    outbox.forget(offered);
    return offered;
  });
}
