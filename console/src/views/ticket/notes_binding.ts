/**
 * Keeps an area and a shared text alike.
 *
 * What others write while an input method is at work is shown when it is done: a browser drops the word that is being
 * composed if the area changes beneath it.
 */

import type { SharedText } from "../../store/types.ts";
import { type Delta, editOf, moved } from "./text_edits.ts";

/** As much of a text area as is used here. */
export type Area = Pick<
  HTMLTextAreaElement,
  "value" | "selectionStart" | "selectionEnd" | "setSelectionRange" | "addEventListener" | "removeEventListener"
>;

export class NotesBinding {
  readonly #area: Area;
  readonly #text: SharedText;
  #shown: string; // what the area was last made to show, or was read as
  #isComposing = false;
  #isWriting = false;
  #missed: Delta[] = [];

  constructor(area: Area, text: SharedText) {
    this.#area = area;
    this.#text = text;
    this.#shown = text.toString();
    area.value = this.#shown;
    text.observe(this.#changed);
    area.addEventListener("input", this.#typed);
    area.addEventListener("compositionstart", this.#began);
    area.addEventListener("compositionend", this.#ended);
  }

  release(): void {
    this.#text.unobserve(this.#changed);
    this.#area.removeEventListener("input", this.#typed);
    this.#area.removeEventListener("compositionstart", this.#began);
    this.#area.removeEventListener("compositionend", this.#ended);
  }

  readonly #changed = (event: { readonly delta: readonly object[] }): void => {
    if (this.#isWriting) {
      return;
    }
    this.#missed.push(event.delta);
    if (!this.#isComposing) {
      this.#show();
    }
  };

  readonly #typed = (): void => {
    const edit = this.#isComposing ? null : editOf(this.#shown, this.#area.value);
    if (edit === null) {
      return;
    }
    this.#shown = this.#area.value;
    const start = this.#followed(edit.at);
    const removed = this.#followed(edit.at + edit.removed) - start;
    this.#isWriting = true; // each of the two would be shown by itself
    if (removed > 0) {
      this.#text.delete(start, removed);
    }
    if (edit.inserted) {
      this.#text.insert(start, edit.inserted);
    }
    this.#isWriting = false;
  };

  readonly #began = (): void => {
    this.#isComposing = true;
  };

  readonly #ended = (): void => {
    this.#isComposing = false;
    this.#typed();
    this.#show();
  };

  /** Show the text, and keep the caret where it is in it. */
  #show(): void {
    if (this.#missed.length === 0) {
      return;
    }
    const { selectionStart, selectionEnd } = this.#area;
    this.#shown = this.#text.toString();
    this.#area.value = this.#shown;
    this.#area.setSelectionRange(this.#followed(selectionStart), this.#followed(selectionEnd));
    this.#missed = [];
  }

  /** Where a place of the area is in the text, which others may have changed meanwhile. */
  #followed(place: number): number {
    return this.#missed.reduce(moved, place);
  }
}
