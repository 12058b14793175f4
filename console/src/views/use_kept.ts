/** What somebody types, kept as it is typed: a page that is reloaded, or ends, shows it again, and so does every tab. */

import { useLayoutEffect, useState } from "preact/hooks";
import { useDesk } from "./context.ts";
import { hearKept, keep, kept } from "./kept.ts";

/** The texts under a name, and how to change them; null forgets them, once they are sent or given up. */
export function useKept(name: string): readonly [Texts, (texts: Texts | null) => void] {
  const { person } = useDesk();
  const [texts, setTexts] = useState(() => textsOf(kept(person, name)));
  useLayoutEffect(() => hearKept(person, name, () => setTexts(textsOf(kept(person, name)))), [person, name]);
  const change = (changed: Texts | null): void => {
    setTexts(changed ?? {});
    keep(person, name, changed);
  };
  return [texts, change];
}

export type Texts = Readonly<Record<string, string>>;

/** What is kept may be of another build; the text of an answer used to stand alone. */
function textsOf(value: unknown): Texts {
  if (typeof value === "string") {
    return { text: value };
  }
  return Object.fromEntries(
    Object.entries(Object(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
