/** Sets of small whole numbers, as the bits of one big integer, so that union and intersection are `|` and `&`. */

export type Bits = bigint;

/** The set of one member. */
export function bit(member: number): Bits {
  return 1n << BigInt(member);
}

/** Tell whether `member` is in the set. */
export function has(bits: Bits, member: number): boolean {
  return ((bits >> BigInt(member)) & 1n) === 1n;
}

/** All that is in any of the sets. */
export function union(sets: Iterable<Bits>): Bits {
  let all = 0n;
  for (const bits of sets) {
    all |= bits;
  }
  return all;
}

/** The members, ascending. */
export function members(bits: Bits): readonly number[] {
  const digits = bits.toString(2);
  const found: number[] = [];
  for (let member = 0; member < digits.length; member += 1) {
    if (digits.charAt(digits.length - 1 - member) === "1") {
      found.push(member);
    }
  }
  return found;
}
