import { expect, test } from "vitest";

import { contentsIn } from "../../src/views/ticket/note_contents.ts";

const DIGEST = "a".repeat(64);
const HEAD = "2026-11-24 16:00 UTC, 王芳:\n";

test("a line that the service wrote names a content, whatever its name is", () => {
  const line = `    [image] 平面图 (2).png (image/png, 48213 bytes, sha256:${DIGEST})\n`;
  const nameless = `    [voice] (audio/amr, 7 bytes, sha256:${"b".repeat(64)})\n`;
  expect(contentsIn(`typed\n${HEAD}    [image] 平面图 (2).png\n${HEAD}${line}${HEAD}${line}${nameless}`)).toEqual([
    { type: "image", name: "平面图 (2).png", media: { digest: DIGEST, size: 48213, type: "image/png" } },
    { type: "voice", name: "", media: { digest: "b".repeat(64), size: 7, type: "audio/amr" } },
  ]);
});

test.each([
  "",
  `[image] a.png (image/png, 1 bytes, sha256:${DIGEST})`,
  `    [page] a.png (image/png, 1 bytes, sha256:${DIGEST})`,
  `    [image] a.png (image/png, 1 bytes, sha256:${DIGEST}0)`,
  `    [image] a.png (image/png, many bytes, sha256:${DIGEST})`,
])("%j names none", (notes) => {
  expect(contentsIn(notes)).toEqual([]);
});
