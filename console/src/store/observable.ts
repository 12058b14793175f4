/** The two kinds of things that change: a value that is set, and one that is worked out when somebody looks. */

import type { Readable } from "./types.ts";

class Heard {
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  protected tell(): void {
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }
}

/** A value that is set. */
export class Cell<T> extends Heard implements Readable<T> {
  #value: T;

  constructor(value: T) {
    super();
    this.#value = value;
  }

  readonly snapshot = (): T => this.#value;

  set(value: T): void {
    if (!Object.is(value, this.#value)) {
      this.#value = value;
      this.tell();
    }
  }
}

/** A value that is worked out when somebody looks, and not again until it was touched. */
export class Derived<T> extends Heard implements Readable<T> {
  readonly #work: () => T;
  #kept: { readonly value: T } | null = null;

  constructor(work: () => T) {
    super();
    this.#work = work;
  }

  readonly snapshot = (): T => {
    this.#kept ??= { value: this.#work() };
    return this.#kept.value;
  };

  /** Say that what it is worked out from has changed. */
  touch(): void {
    this.#kept = null;
    this.tell();
  }
}

/** Return `work` such that it runs once for arguments that are the same as those before. */
export function remembered<A extends readonly unknown[], R>(work: (...of: A) => R): (...of: A) => R {
  let last: { readonly of: A; readonly result: R } | null = null;
  return (...of) => {
    if (last === null || !of.every((one, index) => Object.is(one, last?.of[index]))) {
      last = { of, result: work(...of) };
    }
    return last.result;
  };
}
