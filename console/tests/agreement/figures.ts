/**
 * The board's figures of the events that stand on the input, one text a line; printed as one line of JSON.
 *
 * The arguments are the zone, now, how long a quiet ticket is stuck, and after how many events the page was closed:
 * then only what its database keeps is left, and the service tells the last few events again.
 */

import { readFileSync } from "node:fs";

import { hear } from "../../src/board/events.ts";
import { figuresOf } from "../../src/board/figures.ts";
import { follow, newLedger } from "../../src/board/ledger.ts";

const [zone = "", now, quietMs, closedAfter] = process.argv.slice(2);
const texts = readFileSync(0, "utf8").split("\n").filter(Boolean);
let ledger = newLedger(zone);
for (const text of texts.slice(0, Number(closedAfter))) {
  follow(ledger, hear(text));
}
ledger = structuredClone(ledger); // what IndexedDB keeps
for (const text of texts.slice(Math.max(0, Number(closedAfter) - 5))) {
  follow(ledger, hear(text));
}
process.stdout.write(`${JSON.stringify(figuresOf(ledger, Number(now), Number(quietMs)))}\n`);
