/** The heading of a page, which takes the focus of whoever comes: a screen reader tells by it that the page is another. */

import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  readonly children: string;
  readonly class?: string;
}

export function PageTitle({ children, class: name = "" }: Props): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <h1 ref={heading} class={name} tabIndex={-1}>
      {children}
    </h1>
  );
}
