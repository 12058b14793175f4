/** Sets of small whole numbers, as bits in words. A set that was handed on is never changed. */

export type Bits = Uint32Array;

export const NONE: Bits = new Uint32Array(0);

/** Tell whether `member` is in the set. */
export function has(bits: Bits, member: number): boolean {
  return (((bits[member >>> 5] ?? 0) >>> (member & 31)) & 1) === 1;
}

/** The set with one member more. */
export function plus(bits: Bits, member: number): Bits {
  const longer = new Uint32Array(Math.max(bits.length, (member >>> 5) + 1));
  longer.set(bits);
  longer[member >>> 5] = (longer[member >>> 5] ?? 0) | (1 << (member & 31));
  return longer;
}

/** All that is in any of the sets. */
export function union(sets: readonly Bits[]): Bits {
  const all = new Uint32Array(Math.max(0, ...sets.map((bits) => bits.length)));
  for (const bits of sets) {
    for (let word = 0; word < bits.length; word += 1) {
      all[word] = (all[word] ?? 0) | (bits[word] ?? 0);
    }
  }
  return all;
}

/** What is in both sets. */
export function common(first: Bits, second: Bits): Bits {
  return first.map((word, index) => word & (second[index] ?? 0));
}

/** What is in the first set and not in the second. */
export function without(first: Bits, second: Bits): Bits {
  return first.map((word, index) => word & ~(second[index] ?? 0));
}

/** Tell whether the sets have a member in common. */
export function meet(first: Bits, second: Bits): boolean {
  return first.some((word, index) => (word & (second[index] ?? 0)) !== 0);
}

/** The members, ascending. */
export function* members(bits: Bits): Generator<number> {
  for (const [index, word] of bits.entries()) {
    for (let rest = word; rest !== 0; rest &= rest - 1) {
      yield index * 32 + 31 - Math.clz32(rest & -rest);
    }
  }
}
