/** What every view of a signed-in person is given. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Console, Person } from "../store/types.ts";

export interface Desk {
  readonly console: Console;
  readonly person: Person;
}

export const DeskContext = createContext<Desk | null>(null);

/** Return the desk; a view outside of one is our own mistake. */
export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (desk === null) {
    throw new Error("Nobody is signed in.");
  }
  return desk;
}
