import { expect, test } from "vitest";

import { piecesOf } from "../../src/views/ticket/links.ts";

const linksIn = (text: string) => piecesOf(text).flatMap(({ href }) => href ?? []);

test("a text is given back whole, with its links apart", () => {
  const text = "见https://example.com/a_b?x=1&y=2#z，或 (http://Example.org:8080/(1)). End";
  expect(piecesOf(text)).toEqual([
    { text: "见", href: null },
    { text: "https://example.com/a_b?x=1&y=2#z", href: "https://example.com/a_b?x=1&y=2#z" },
    { text: "，或 (", href: null },
    { text: "http://Example.org:8080/(1)", href: "http://example.org:8080/(1)" },
    { text: "). End", href: null },
  ]);
  expect(piecesOf("")).toEqual([]);
});

test.each([
  ["https://example.com", "https://example.com/"],
  ["HTTPS://EXAMPLE.COM/A.", "https://example.com/A"],
  ["“https://example.com:443/”", "https://example.com/"],
  ["<https://example.com/a>", "https://example.com/a"],
  ["https://example.com/路", "https://example.com/"],
  ["https://example.com。", "https://example.com/"],
  ["👉https://example.com/", "https://example.com/"],
  ["http://192.0.2.1/,http", "http://192.0.2.1/,http"],
  ["http://[2001:db8::1]/a", "http://[2001:db8::1]/a"],
  ["https://example.com/javascript:alert(1)", "https://example.com/javascript:alert(1)"],
])("%s is a link", (text, href) => {
  expect(linksIn(text)).toEqual([href]);
});

test.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)//https://example.com",
  "java\nscript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "data:text/html;base64,https://example.com",
  "vbscript:msgbox(1)",
  "view-source:https://example.com",
  "blob:https://example.com/1",
  "file:///etc/passwd",
  "ftp://example.com",
  "//example.com",
  "www.example.com",
  "xhttps://example.com",
  "https:example.com",
  "https://",
  "https:///example.com",
  "https://?x",
  "https://.",
  "https://a.com:99999999/",
  "http\u017f://example.com",
  "https://ex\u0000ample.com",
  "https://example.com/\u0007",
  "https://ex\u200bample.com",
  "https://example.com/\u202egnp.exe",
  "\u202ehttps://example.com",
  "\u200bhttps://example.com",
  "https://exa\u00admple.com",
  "https://bank.example\\@evil.example/",
  "https://bank.example@evil.example/",
  "https://user:secret@evil.example/",
  "https://@evil.example/",
  "https://\u0430pple.com/", // a Cyrillic letter
  "https://appl\u0435.com/",
  "https://apple.com\u3002evil.example",
  "https://apple\uff0ecom/",
  "https://apple\u0301.com/",
  "https://apple.com\u2024evil.example/",
  "https://xn--80ak6aa92e.com/",
  "https://www.xn--80ak6aa92e.com/",
  "https://%65xample.com/",
  "http://2130706433/",
  "http://0x7f.1/",
  "http://127.1/",
  "https://example.com谢谢",
  `https://example.com/${"a".repeat(2_048)}`,
])("%j stays text", (text) => {
  expect(piecesOf(text)).toEqual([{ text, href: null }]);
});

test("half a megabyte is split at once", () => {
  const text = "https://example.com/a ".repeat(20_000);
  expect(linksIn(text)).toHaveLength(20_000);
  expect(linksIn("https://example.com/，".repeat(20_000))).toHaveLength(20_000);
  expect(linksIn("https://".repeat(60_000))).toEqual([]);
  expect(linksIn(`https://example.com/${"(".repeat(250_000)}${")".repeat(250_000)}`)).toEqual([]);
});
