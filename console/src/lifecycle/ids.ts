/** Names of things, told apart by type, and the forms that ids have. */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** 52 characters of lowercase base32: SHA-256 without padding. A ticket's id is the id of its opening. */
export type TransitionId = Branded<"TransitionId">;
/** 64 lowercase hexadecimal digits: SHA-256. */
export type Digest = Branded<"Digest">;
/** The name of a lane, declared or not. */
export type LaneId = Branded<"LaneId">;

export const ID_PATTERN = /^[a-z2-7]{51}[aq]$/;
export const DIGEST_PATTERN = /^[0-9a-f]{64}$/;
