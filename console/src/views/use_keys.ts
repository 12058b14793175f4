/** Keys of a page. */

import { useEffect, useRef } from "preact/hooks";
import { isComposed } from "./input_method.ts";

/** Hear keys of the whole page that nobody types into a field, a dialog or a control of its own. */
export function useKeys(hear: (key: string) => boolean): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target instanceof Element ? event.target : document.body;
      const isTaken = target.closest("input, textarea, select, button, summary, dialog, [role=menu]") !== null;
      const isOther = event.ctrlKey || event.metaKey || event.altKey || isComposed(event) || event.defaultPrevented;
      const isLink = event.key === "Enter" && target.closest("a") !== null;
      const isFree = !isTaken && !isOther && !isLink && document.querySelector("dialog[open]") === null;
      if (isFree && latest.current(event.key)) {
        event.preventDefault();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
