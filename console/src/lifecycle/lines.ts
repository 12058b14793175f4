/** What `crdt-sync lifecycle fold` prints of lines, for whoever has lines and no ticket. */

import { type Json, sha256Of } from "./canonical.ts";
import { Fold, type FoldOptions, isMisplaced } from "./fold.ts";
import type { Digest, TransitionId } from "./ids.ts";
import type { Lifecycle } from "./model.ts";
import { toJson } from "./result.ts";
import { decode, isOpening, type Transition } from "./transition.ts";

/**
 * Return the plain state of the ticket that these lines hold, a record each, without line feeds.
 *
 * Empty lines are skipped, equal ones count once, and bad ones are quarantined under their SHA-256. The ticket is the
 * smallest opening.
 */
export function foldLines(
  lifecycle: Lifecycle,
  lines: Iterable<Uint8Array>,
  { anyDigest = false }: FoldOptions = {},
): { readonly [key: string]: Json } {
  const quarantined = new Map<Digest, string>();
  const journal = new Map<TransitionId, { readonly transition: Transition; readonly line: Digest }>();
  for (const line of lines) {
    const decoded = decode(line);
    if (typeof decoded !== "string") {
      journal.set(decoded.id, { transition: decoded, line: sha256Of(line) });
    } else if (line.length > 0) {
      quarantined.set(sha256Of(line), decoded);
    }
  }
  const openings = [...journal.values()]
    .map(({ transition }) => transition)
    .filter((transition) => isOpening(transition) && !isMisplaced(lifecycle, transition, anyDigest))
    .map((transition) => transition.id);
  const fold = new Fold(lifecycle, openings.sort()[0] ?? null, { anyDigest });
  for (const { transition } of journal.values()) {
    fold.add(transition);
  }
  const state = fold.state();
  for (const [id, code] of state.quarantined) {
    const entry = journal.get(id);
    if (entry !== undefined) {
      quarantined.set(entry.line, code);
    }
  }
  return { ...toJson(state), quarantined: Object.fromEntries(quarantined) };
}
