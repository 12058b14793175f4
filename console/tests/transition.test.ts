import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decode, type Transition } from "../src/lifecycle/transition.ts";
import { histories } from "./histories.ts";
import { bytesOf, lifecycleOf, TRANSITIONS, type TransitionRow } from "./vectors.ts";

function dataOf(row: TransitionRow): Uint8Array {
  return row.text === undefined ? Buffer.from(row.hex ?? "", "hex") : bytesOf(row.text);
}

describe("decode", () => {
  test.each(TRANSITIONS)("says what Python says of $name", (row) => {
    const found = decode(dataOf(row));
    expect(row.code ?? row.id).toBe(typeof found === "string" ? found : found.id);
  });

  test("gives a transition or a code for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000, size: "max" }), (data) => {
        expect(data.length > 4096 ? "size" : "malformed").toBe(decode(data));
      }),
    );
  });

  test("gives a transition or a code for any JSON", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 2 }), (text) => {
        expect("malformed").toBe(decode(bytesOf(text)));
      }),
    );
  });

  test("gives back the record that it was given", () => {
    fc.assert(
      fc.property(histories(lifecycleOf("connect-order"), 4), ({ transitions }) => {
        for (const transition of transitions) {
          expect(transition).toEqual(decode(bytesOf(transition.record)));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("gives another id or a code for a record with any bit flipped", () => {
    fc.assert(
      fc.property(histories(lifecycleOf("connect-order"), 2), fc.nat(), fc.nat(7), ({ transitions }, place, bit) => {
        const { id, record } = transitions.at(-1) as Transition;
        const data = bytesOf(record);
        const index = place % data.length;
        data[index] = (data[index] ?? 0) ^ (1 << bit);
        const found = decode(data);
        expect(id).not.toBe(typeof found === "string" ? found : found.id);
      }),
    );
  });
});
