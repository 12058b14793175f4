/** Prints, for each line of hexadecimal digits on standard input, the id or the code that its bytes decode to. */

import { createInterface } from "node:readline";

import { decode } from "../../src/lifecycle/transition.ts";

for await (const line of createInterface({ input: process.stdin })) {
  const decoded = decode(Buffer.from(line, "hex"));
  process.stdout.write(`${typeof decoded === "string" ? decoded : decoded.id}\n`);
}
