/** Whether the service can commit, and who of the department is connected to it. */

import type { JSX } from "preact";
import type { Language } from "../lifecycle/model.ts";
import type { Readable } from "../store/types.ts";
import { useLanguage } from "../views/preferences.ts";
import { reason } from "../views/reasons.ts";
import { useReadable } from "../views/use.ts";
import type { Service } from "./open.ts";
import { Panel } from "./panel.tsx";
import { useBoardWords } from "./words.ts";

interface Props {
  readonly service: Readable<Service | null>;
  readonly department: string;
}

export function ServicePanel({ service, department }: Props): JSX.Element {
  const words = useBoardWords();
  const language = useLanguage();
  const told = useReadable(service);
  const wires = (people: Service["people"][number]): string =>
    Object.entries(people.wires)
      .map(([wire, count]) => `${wire} ${count}`)
      .join(", ");
  return (
    <Panel
      title={words("service")}
      file="connected"
      isTable
      rows={told?.people ?? []}
      columns={[
        { name: words("person"), value: ({ actor }) => actor },
        { name: words("connections"), value: wires },
      ]}
    >
      <p class={told?.ready ? "" : "bad"}>{readiness(told, words, language)}</p>
      {told !== null && <p class="quiet">{words("connected", { count: told.count, department })}</p>}
    </Panel>
  );
}

function readiness(told: Service | null, words: ReturnType<typeof useBoardWords>, language: Language): string {
  if (told === null) {
    return words("no_answer");
  }
  return told.ready
    ? words("ready")
    : words("not_ready", { message: reason(language, told.problem?.code ?? "unavailable") });
}
