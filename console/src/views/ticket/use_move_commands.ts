/** The enabled moves of an open ticket, for the palette; those that carry something are asked for on the page. */

import { type Language, label } from "../../lifecycle/model.ts";
import type { OpenTicket, TicketView } from "../../store/types.ts";
import { usePageCommands } from "../shell/commands.ts";

export function useMoveCommands(ticket: OpenTicket, view: TicketView, language: Language): void {
  const { lifecycle, moves } = view;
  const enabled = lifecycle === null ? [] : moves.filter(({ why, payload }) => why === null && payload.size === 0);
  const commands = enabled.map(({ lane, name }) => ({
    label: lifecycle === null ? name : label(lifecycle, `${lane}.${name}`, language),
    run: (): void => {
      ticket.move(lane, name).catch(reportError); // what the service refuses is shown on the page
    },
  }));
  usePageCommands(commands, commands.map((command) => command.label).join("\n"));
}
