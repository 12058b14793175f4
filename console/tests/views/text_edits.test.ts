import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { type Delta, editOf, moved } from "../../src/views/ticket/text_edits.ts";

const text = fc.string({ unit: fc.constantFrom("a", "b", "王", "🙂", "🙃", "👨‍👩‍👧", "\n"), maxLength: 12 });

describe("an edit", () => {
  test("leads from one text to the other and halves no character", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const edit = editOf(before, after);
        const { at, removed, inserted } = edit ?? { at: 0, removed: 0, inserted: "" };
        expect(after).toBe(before.slice(0, at) + inserted + before.slice(at + removed));
        expect(true).toBe(
          [inserted, before.slice(0, at), before.slice(at + removed)].every((part) => part.isWellFormed()),
        );
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["abc", "abc", null],
    ["ac", "abc", { at: 1, removed: 0, inserted: "b" }],
    ["aa", "aaa", { at: 2, removed: 0, inserted: "a" }],
    ["abc", "ac", { at: 1, removed: 1, inserted: "" }],
    ["🙂", "🙃", { at: 0, removed: 2, inserted: "🙃" }],
  ])("from %j to %j is the smallest", (before, after, edit) => {
    expect(edit).toEqual(editOf(before, after));
  });
});

const plain = fc.string({ unit: fc.constantFrom("a", "b", "王", "\n"), maxLength: 12 });

test("a place stays before the character that it was before, whatever others write elsewhere", () => {
  const place = fc.record({ text: plain, place: fc.nat(12), at: fc.nat(12), removed: fc.nat(4), inserted: plain });
  fc.assert(
    fc.property(place, (drawn) => {
      const shared = new Y.Doc().getText("notes");
      shared.insert(0, drawn.text);
      const at = Math.min(drawn.at, shared.length);
      const removed = Math.min(drawn.removed, shared.length - at);
      const before = Math.min(drawn.place, shared.length);
      const tail = drawn.text.slice(before);
      fc.pre(before <= at || before > at + removed); // what goes holds no place
      const deltas: Delta[] = [];
      shared.observe((event) => deltas.push(event.delta as Delta));
      shared.delete(at, removed);
      shared.insert(at, drawn.inserted);
      const after = deltas.reduce(moved, before);
      const kept = before <= at ? shared.toString().slice(0, after) : shared.toString().slice(after);
      expect(before <= at ? drawn.text.slice(0, before) : tail).toBe(kept);
    }),
    { numRuns: 500 },
  );
});
