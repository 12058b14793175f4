/** Going from one address to another without asking the service for it. */

import type { ComponentChildren, JSX } from "preact";
import type { Readable } from "../store/types.ts";
import { type Place, placeOf } from "./places.ts";

const listeners = new Set<() => void>();
let current = placeOf(location.pathname);

export const place: Readable<Place> = {
  snapshot: () => current,
  subscribe: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

addEventListener("popstate", arrived);

/** Go to an address of ours. */
export function go(path: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, "", path);
  } else {
    history.pushState(null, "", path);
  }
  arrived();
}

function arrived(): void {
  current = placeOf(location.pathname);
  for (const listener of listeners) {
    listener();
  }
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
