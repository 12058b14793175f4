/** What can be done on the page that is open, for the palette. */

import { useEffect } from "preact/hooks";
import { Cell } from "../../store/observable.ts";

export interface PageCommand {
  readonly label: string;
  readonly run: () => void;
}

export const pageCommands = new Cell<readonly PageCommand[]>([]);

/** Offer these while the view is there; `key` says when they are others. */
export function usePageCommands(commands: readonly PageCommand[], key: string): void {
  useEffect(() => {
    pageCommands.set(commands);
    return () => pageCommands.set([]);
  }, [key]);
}
