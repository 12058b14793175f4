/** Going from one address to another without asking the service for it. */

import type { ComponentChildren, JSX } from "preact";
import type { Readable } from "../store/types.ts";
import { listPath, type Place, placeOf } from "./places.ts";

const listeners = new Set<() => void>();
let current = placeOf(here());
let list = current; // the one that was looked at last

export const place: Readable<Place> = {
  snapshot: () => current,
  subscribe: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

addEventListener("popstate", () => arrived(here()));

/** Go to an address of ours. */
export function go(address: string, { replace = false } = {}): void {
  if (replace) {
    rename(address);
  } else {
    history.pushState(null, "", address);
  }
  arrived(address);
}

/** Return the address of a department's list with its filter as it was left. */
export function backToList(department: string): string {
  const search = list.page === "list" && list.department === department ? list.search : "";
  return `${listPath(department)}${search}`;
}

/** Browsers bound how often an address changes: whoever types faster has it behind him until he stops. */
function rename(address: string): void {
  try {
    history.replaceState(null, "", address);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "SecurityError")) {
      throw error;
    }
  }
}

function arrived(address: string): void {
  current = placeOf(address);
  list = current.page === "list" ? current : list;
  for (const listener of listeners) {
    listener();
  }
}

function here(): string {
  return `${location.pathname}${location.search}`;
}

interface LinkProps {
  readonly to: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly "aria-label"?: string;
  readonly "aria-current"?: "true" | undefined;
  readonly tabIndex?: number;
}

/** A link of ours: a plain click goes there at once, and any other is the browser's. */
export function Link({ to, children, ...rest }: LinkProps): JSX.Element {
  const click = (event: MouseEvent): void => {
    if (event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      go(to);
    }
  };
  return (
    <a {...rest} href={to} onClick={click}>
      {children}
    </a>
  );
}
