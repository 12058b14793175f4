/** Prints what each ticket on standard input amounts to; a line has a lifecycle of the vectors and records. */

import { createInterface } from "node:readline";

import { write } from "../../src/lifecycle/canonical.ts";
import { foldLines } from "../../src/lifecycle/lines.ts";
import { bytesOf, lifecycleOf } from "../vectors.ts";

for await (const line of createInterface({ input: process.stdin })) {
  const { lifecycle, lines } = JSON.parse(line) as { readonly lifecycle: string; readonly lines: readonly string[] };
  process.stdout.write(`${write(foldLines(lifecycleOf(lifecycle), lines.map(bytesOf)))}\n`);
}
