/**
 * What of a text is an address that may be followed: `http` and `https` alone, and only where what is read is what is
 * opened. Anything else stays text. Pure.
 */

/** A piece of a text: as it was written, and where it leads if it is a link. */
export interface Piece {
  readonly text: string;
  readonly href: string | null;
}

const CHARACTERS_MAX = 2_048; // of an address; browsers take more, people do not
const START = /[Hh][Tt][Tt][Pp][Ss]?:\/\//g; // no flag for case: with it, Unicode has an "s" that is none
const WORD = /\S{0,2049}/y; // one more than an address may have
const WRITTEN = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]*/; // what RFC 3986 allows: an address ends where Chinese begins
const HOST = /^[A-Za-z]+:\/\/([^/?#]*)/;
const ENDS_A_HOST = /^(?:$|[<>"{}|^`，！？；：、）】》」』”’]|。(?![\p{L}\p{N}]))/u; // else it goes on in another script
const HIDDEN = /^[\p{C}\\]/u; // what is not seen or turns the direction of reading, and a slash to some
const BEFORE = /(?:^|[\s"'<([{]|(?!\p{C})\P{ASCII})$/u; // else it is part of something else, such as `javascript:`
const ENDS_A_SENTENCE = /[.,;:!?']+$/;

/** Split a text into what is a link and what is not. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let told = 0;
  START.lastIndex = 0;
  for (let found = START.exec(text); found !== null; found = START.exec(text)) {
    WORD.lastIndex = found.index;
    const word = WORD.exec(text)?.[0] ?? "";
    const link = BEFORE.test(text.slice(Math.max(0, found.index - 2), found.index)) ? linkOf(word) : null;
    START.lastIndex = found.index + (link ?? { text: word }).text.length;
    if (link !== null) {
      pieces.push({ text: text.slice(told, found.index), href: null }, link);
      told = START.lastIndex;
    }
  }
  return [...pieces, { text: text.slice(told), href: null }].filter((piece) => piece.text !== "");
}

function linkOf(word: string): Piece | null {
  const written = WRITTEN.exec(word)?.[0] ?? "";
  const host = HOST.exec(written);
  const isHostAlone = host?.[0].length === written.length;
  const rest = word.slice(written.length);
  if (HIDDEN.test(rest) || (isHostAlone && !ENDS_A_HOST.test(rest))) {
    return null;
  }
  const text = withoutEnd(written);
  if (text.length > CHARACTERS_MAX || !URL.canParse(text)) {
    return null;
  }
  const { href, hostname } = new URL(text);
  const read = HOST.exec(text)?.[1]?.toLowerCase().replace(/:\d*$/, "");
  // A browser reads `2130706433`, `a.com@b.com` and `xn--…` as hosts that nobody has read there.
  return hostname === read && !/(?:^|\.)xn--/.test(hostname) ? { text, href } : null;
}

/** Leave out what ends a sentence, or a bracket that was opened before. */
function withoutEnd(written: string): string {
  const text = written.replace(ENDS_A_SENTENCE, "");
  const isOpen = (opening: string, closing: string): boolean =>
    text.endsWith(closing) && text.split(closing).length > text.split(opening).length;
  return isOpen("(", ")") || isOpen("[", "]") ? withoutEnd(text.slice(0, -1)) : text;
}
