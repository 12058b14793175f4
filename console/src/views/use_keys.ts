/** Keys of a page. */

import { useEffect, useRef } from "preact/hooks";
import { isComposed } from "./input_method.ts";

const WRITTEN = "input, textarea, select"; // what takes every key but Escape
const PRESSED = "a, button, summary"; // what takes Enter and the space bar

/** Hear keys of the whole page that nobody types into a field, and no dialog or control takes for its own. */
export function useKeys(hear: (key: string) => boolean): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const { key } = event;
      const target = event.target instanceof Element ? event.target : document.body;
      const isWritten = key !== "Escape" && target.closest(WRITTEN) !== null;
      const isPressed = (key === "Enter" || key === " ") && target.closest(PRESSED) !== null;
      const isOther = event.ctrlKey || event.metaKey || event.altKey || isComposed(event) || event.defaultPrevented;
      const isFree = !isWritten && !isPressed && !isOther && document.querySelector("dialog[open]") === null;
      if (isFree && latest.current(key)) {
        event.preventDefault();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
