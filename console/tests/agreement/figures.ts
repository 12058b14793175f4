/**
 * The board's figures of the events that stand on the input, one text a line; printed as one line of JSON.
 *
 * The arguments are the zone, now, how long a quiet ticket is stuck, and after how many events the page was closed:
 * then only what its database keeps is left, and the service tells the last few events again.
 */

import { readFileSync } from "node:fs";

import { type DomainEvent, hear } from "../../src/board/events.ts";
import { figuresOf } from "../../src/board/figures.ts";
import { follow, newLedger } from "../../src/board/ledger.ts";

const [zone = "", now, quietMs, closedAfter] = process.argv.slice(2);
const texts = readFileSync(0, "utf8").split("\n").filter(Boolean);
const heard = texts.map((text) => {
  const event = JSON.parse(text) as DomainEvent & { readonly position: string };
  return hear(Number(event.position), event);
});
let ledger = newLedger(zone);
for (const each of heard.slice(0, Number(closedAfter))) {
  follow(ledger, each);
}
ledger = structuredClone(ledger); // what IndexedDB keeps
for (const each of heard.slice(Math.max(0, Number(closedAfter) - 5))) {
  follow(ledger, each);
}
process.stdout.write(`${JSON.stringify(figuresOf(ledger, Number(now), Number(quietMs)))}\n`);
