/** The contents that notes name: lines that the service writes for pictures and files of a group chat. */

import type { Digest } from "../../lifecycle/ids.ts";

const LINE =
  /^ {4}\[(image|voice|video|file)\](?: (.*))? \(([a-z0-9.+-]+\/[a-z0-9.+-]+), (\d{1,9}) bytes, sha256:([0-9a-f]{64})\)$/gm;

export interface NamedContent {
  readonly type: "image" | "voice" | "video" | "file";
  readonly name: string;
  readonly media: { readonly digest: Digest; readonly size: number; readonly type: string };
}

/** Each content once, in the order of the text; what anybody else wrote in this form is offered too, and is not there. */
export function contentsIn(notes: string): readonly NamedContent[] {
  const found = new Map<string, NamedContent>();
  for (const [, part, name, type, size, digest] of notes.matchAll(LINE)) {
    if (digest !== undefined && type !== undefined && !found.has(digest)) {
      const media = { digest: digest as Digest, size: Number(size), type };
      found.set(digest, { type: part as NamedContent["type"], name: name ?? "", media });
    }
  }
  return [...found.values()];
}
