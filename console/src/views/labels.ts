/** The words that lifecycle files have for departments, stages and lanes. */

import type { Console } from "../store/types.ts";
import { useLanguage } from "./preferences.ts";
import { useReadable } from "./use.ts";

/** Return what says a name in the words of the first lifecycle that has any for it, else the name. */
export function useLabels(console: Console): (name: string) => string {
  const language = useLanguage();
  const lifecycles = useReadable(console.lifecycles);
  return (name) => {
    for (const { labels } of lifecycles.values()) {
      const text = labels.get(name)?.[language];
      if (text !== undefined) {
        return text;
      }
    }
    return name;
  };
}
