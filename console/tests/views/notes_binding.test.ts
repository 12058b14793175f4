import { expect, test } from "vitest";
import * as Y from "yjs";

import { type Area, NotesBinding } from "../../src/views/ticket/notes_binding.ts";

/** An area as a browser has it, without a browser. */
class FakeArea extends EventTarget {
  value = "";
  selectionStart = 0;
  selectionEnd = 0;

  setSelectionRange(start: number, end: number): void {
    [this.selectionStart, this.selectionEnd] = [start, end];
  }

  type(value: string, caret = value.length): void {
    this.value = value;
    this.setSelectionRange(caret, caret);
    this.dispatchEvent(new Event("input"));
  }

  compose(phase: "start" | "end"): void {
    this.dispatchEvent(new Event(`composition${phase}`));
  }
}

function bound(text: string): { readonly area: FakeArea; readonly notes: Y.Text; readonly other: Y.Text } {
  const [doc, remote] = [new Y.Doc(), new Y.Doc()];
  const [notes, other] = [doc.getText("notes"), remote.getText("notes")];
  doc.on("update", (update: Uint8Array) => Y.applyUpdate(remote, update));
  remote.on("update", (update: Uint8Array) => Y.applyUpdate(doc, update));
  notes.insert(0, text);
  const area = new FakeArea();
  new NotesBinding(area as unknown as Area, notes);
  return { area, notes, other };
}

test("what is typed is in the text, and the area is not written to meanwhile", () => {
  const { area, other } = bound("one three");
  area.type("one two three", 8);
  expect(["one two three", "one two three", 8]).toEqual([other.toString(), area.value, area.selectionStart]);
});

test("what is replaced is one edit for whoever types", () => {
  const { area, other } = bound("abc");
  area.type("aXc", 2);
  expect(["aXc", "aXc", 2]).toEqual([other.toString(), area.value, area.selectionStart]);
});

test("what others write moves the caret along", () => {
  const { area, other } = bound("three");
  area.setSelectionRange(5, 5);
  other.insert(0, "one ");
  expect(["one three", 9]).toEqual([area.value, area.selectionStart]);
});

test("what this page writes elsewhere is shown too", () => {
  const { area, notes } = bound("one");
  notes.insert(3, " two");
  expect("one two").toBe(area.value);
});

test("while an input method is at work, nothing changes beneath it, and both texts are there in the end", () => {
  const { area, notes, other } = bound("客户: ");
  area.setSelectionRange(4, 4);
  area.compose("start");
  area.type("客户: wang", 8);
  other.insert(0, "VIP ");
  expect("客户: wang").toBe(area.value);
  area.value = "客户: 王";
  area.setSelectionRange(5, 5);
  area.compose("end");
  expect(["VIP 客户: 王", "VIP 客户: 王", 9]).toEqual([notes.toString(), area.value, area.selectionStart]);
});
