/** A dialog of the browser: it holds the focus, Escape closes it, and the focus goes back to where it was. */

import type { ComponentChildren, JSX, TargetedMouseEvent } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const LIGHT: object = { closedby: "any" }; // a press beside it closes it; the types do not know it yet

/** The second press of a double click on what has opened a dialog often falls beside it, and is not meant for it. */
function pressed({ currentTarget, detail }: TargetedMouseEvent<HTMLDialogElement>): void {
  currentTarget.setAttribute("closedby", detail > 1 ? "closerequest" : "any");
}

interface Props {
  readonly label: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
  readonly class?: string;
}

export function Dialog({ label, close, children, class: name = "" }: Props): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const isThere = useRef(true);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      isThere.current = false; // the browser tells of the end later, when another one may be open
      element?.close();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={name}
      aria-label={label}
      onClose={() => isThere.current && close()}
      onMouseDown={pressed}
      {...LIGHT}
    >
      {children}
    </dialog>
  );
}
