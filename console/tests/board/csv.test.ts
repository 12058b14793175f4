import { expect, test } from "vitest";

import { csvOf } from "../../src/board/csv.ts";

test("cells that a spreadsheet would calculate are texts", () => {
  const cells = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "1"];

  expect(csvOf([cells])).toBe(`\uFEFF"'=1+1","'+1","'-1","'@x","'\t=1","'\r=1",1\r\n`);
});

test("commas, quotes and lines stay within their cell, and numbers are numbers", () => {
  expect(csvOf([["a,b", 'say "x"', "one\ntwo", -5, "签约"]])).toBe('\uFEFF"a,b","say ""x""","one\ntwo",-5,签约\r\n');
});
