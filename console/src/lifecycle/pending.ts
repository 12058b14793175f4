/** Transitions that wait for an ancestor. It knows who waits for whom, and never judges anyone. */

import type { TransitionId } from "./ids.ts";
import { known } from "./model.ts";
import type { Transition } from "./transition.ts";

/** The waiting part of a journal, indexed by the parents that are not placed yet: absent ones and waiting ones. */
export class Pending {
  readonly #waiting = new Map<TransitionId, { readonly transition: Transition; lacking: number }>();
  readonly #children = new Map<TransitionId, TransitionId[]>();

  has(id: TransitionId): boolean {
    return this.#waiting.has(id);
  }

  /** Keep the transition until each of its `unplaced` parents was placed. */
  add(transition: Transition, unplaced: readonly TransitionId[]): void {
    this.#waiting.set(transition.id, { transition, lacking: unplaced.length });
    for (const parent of unplaced) {
      const children = this.#children.get(parent) ?? [];
      children.push(transition.id);
      this.#children.set(parent, children);
    }
  }

  /** Note that `id` was placed; return those that waited for nothing else, which wait no more. */
  placed(id: TransitionId): readonly Transition[] {
    const ready: Transition[] = [];
    for (const child of this.#waitingChildren(id)) {
      const entry = known(this.#waiting, child);
      entry.lacking -= 1;
      if (entry.lacking === 0) {
        this.#waiting.delete(child);
        ready.push(entry.transition);
      }
    }
    this.#children.delete(id);
    return ready;
  }

  /** Return all that descend from `id` among those that wait; they wait no more. */
  dropAbove(id: TransitionId): readonly Transition[] {
    const dropped = [...this.#above(id)].map((child) => known(this.#waiting, child).transition);
    for (const parent of [id, ...dropped.map((transition) => transition.id)]) {
      this.#waiting.delete(parent);
      this.#children.delete(parent);
    }
    return dropped;
  }

  /** Return, for each that waits, every id of its ancestry that is not there, sorted. */
  missing(): ReadonlyMap<TransitionId, readonly TransitionId[]> {
    const missing = new Map<TransitionId, TransitionId[]>([...this.#waiting.keys()].map((id) => [id, []]));
    const absent = [...this.#children.keys()].filter((id) => !this.#waiting.has(id)).sort();
    for (const id of absent) {
      for (const child of this.#above(id)) {
        known(missing, child).push(id);
      }
    }
    return missing;
  }

  #above(id: TransitionId): ReadonlySet<TransitionId> {
    const reached = new Set<TransitionId>();
    const parents = [id];
    for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
      for (const child of this.#waitingChildren(parent)) {
        if (!reached.has(child)) {
          reached.add(child);
          parents.push(child);
        }
      }
    }
    return reached;
  }

  #waitingChildren(id: TransitionId): readonly TransitionId[] {
    return (this.#children.get(id) ?? []).filter((child) => this.#waiting.has(child));
  }
}
