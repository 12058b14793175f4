/** What can be done on the page that is open, for the palette. */

import { useEffect, useRef } from "preact/hooks";
import { Cell } from "../../store/observable.ts";

export interface PageCommand {
  readonly label: string;
  readonly run: () => void;
}

export const pageCommands = new Cell<readonly PageCommand[]>([]);

const offers = new Map<object, readonly PageCommand[]>(); // of each view, in the order in which they came

/** Offer these while the view is there; `key` says of what they are, and with their labels when they are others. */
export function usePageCommands(commands: readonly PageCommand[], key: string): void {
  const { current: view } = useRef({});
  useEffect(() => {
    offers.set(view, commands);
    tell();
  }, [key, commands.map(({ label }) => label).join("\n")]);
  useEffect(
    () => () => {
      offers.delete(view);
      tell();
    },
    [],
  );
}

function tell(): void {
  pageCommands.set([...offers.values()].flat());
}
