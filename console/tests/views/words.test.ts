import { expect, test } from "vitest";

import { REASONS, reason } from "../../src/views/reasons.ts";
import { isWord, say, WORDS } from "../../src/views/words.ts";

const places = (text: string): readonly string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)).sort();

test("every word is whole in both languages and has the same places", () => {
  const isChinese = (text: string): boolean => /[\u4e00-\u9fff]/.test(text);
  const isMissing = (zh: string): boolean => /\p{L}/u.test(zh.replace(/\{\w+\}/g, "")) && !isChinese(zh);
  const wrong = [...Object.entries(WORDS), ...Object.entries(REASONS)].filter(
    ([, { en, zh }]) => !en.trim() || isChinese(en) || isMissing(zh) || String(places(en)) !== String(places(zh)),
  );
  expect([]).toEqual(wrong);
});

test("values stand where the words name them, whatever they are", () => {
  expect("Menu of {actor} $& <b>").toBe(say("en", "menu", { actor: "{actor} $& <b>" }));
});

test("names of every object are no words", () => {
  expect([true, false, false]).toEqual(["menu", "constructor", "toString"].map(isWord));
});

test("a code without words is told in a plain sentence", () => {
  expect(["原因：window_closed。", "The reason: constructor.", "Your roles do not allow it."]).toEqual([
    reason("zh", "window_closed"),
    reason("en", "constructor"),
    reason("en", "role"),
  ]);
});
