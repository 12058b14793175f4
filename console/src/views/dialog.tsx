/** A dialog of the browser: it holds the focus, Escape closes it, and the focus goes back to where it was. */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const LIGHT: object = { closedby: "any" }; // a click beside it closes it; the types do not know it yet

interface Props {
  readonly label: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
  readonly class?: string;
}

export function Dialog({ label, close, children, class: name = "" }: Props): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} class={name} aria-label={label} onClose={close} {...LIGHT}>
      {children}
    </dialog>
  );
}
