/** Prints histories that fast-check draws, with what they amount to and why: `invent.ts SEED COUNT`. */

import fc from "fast-check";

import { write } from "../../src/lifecycle/canonical.ts";
import { explain } from "../../src/lifecycle/explain.ts";
import { foldLines } from "../../src/lifecycle/lines.ts";
import { drawn, foldOf } from "../histories.ts";
import { bytesOf, lifecycleOf } from "../vectors.ts";

const [seed = 0, numRuns = 1] = process.argv.slice(2).map(Number);

for (const { name, history } of fc.sample(drawn(), { seed, numRuns })) {
  const lifecycle = lifecycleOf(name);
  const lines = history.transitions.map((transition) => transition.record);
  const fold = foldOf(lifecycle, history);
  const [en, zh] = [explain(lifecycle, fold, "en"), explain(lifecycle, fold, "zh")];
  const state = foldLines(lifecycle, lines.map(bytesOf));
  process.stdout.write(`${write({ lifecycle: name, ticket: history.opening.id, lines, state, en, zh })}\n`);
}
