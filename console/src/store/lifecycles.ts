/** The lifecycles that are here, by digest. What has a digest never changes, so each is fetched once. */

import type { Digest } from "../lifecycle/ids.ts";
import type { Lifecycle } from "../lifecycle/model.ts";
import { type LifecycleFile, read } from "../lifecycle/spec.ts";
import type { Api } from "./api.ts";
import type { Database } from "./database.ts";
import { Cell } from "./observable.ts";
import { StoreError } from "./types.ts";

const DEFAULT = "default lifecycle";

export class Lifecycles {
  readonly all = new Cell<ReadonlyMap<Digest, Lifecycle>>(new Map());
  readonly default = new Cell<Lifecycle | null>(null);
  readonly #database: Database;
  readonly #api: Api;

  constructor(database: Database, api: Api) {
    this.#database = database;
    this.#api = api;
  }

  get(digest: string): Lifecycle | null {
    return this.all.snapshot().get(digest as Digest) ?? null;
  }

  /** Read what is kept here. */
  async load(): Promise<void> {
    const kept = await this.#database.all("lifecycles");
    this.all.set(new Map(kept.map(({ digest, file }) => [digest as Digest, read(file as LifecycleFile)])));
    this.default.set(this.get((await this.#database.meta<string>(DEFAULT)) ?? ""));
  }

  /** Ask which lifecycle new tickets have. */
  async learnDefault(): Promise<void> {
    type Listed = { readonly lifecycles: readonly { readonly digest: string; readonly default: boolean }[] };
    const { lifecycles } = await this.#api.json<Listed>("/api/lifecycles");
    const digest = lifecycles.find((each) => each.default)?.digest;
    if (digest !== undefined) {
      await this.learn([digest]);
      await this.#database.write([{ in: "meta", put: { key: DEFAULT, value: digest } }]);
      this.default.set(this.get(digest));
    }
  }

  /** Fetch those that are not here. One that the service lacks stays unknown: its tickets say so. */
  async learn(digests: Iterable<string>): Promise<void> {
    for (const digest of new Set(digests)) {
      if (this.get(digest) === null) {
        await this.#fetch(digest);
      }
    }
  }

  async #fetch(digest: string): Promise<void> {
    try {
      const file = await this.#api.json<LifecycleFile>(`/api/lifecycles/${digest}`);
      await this.#database.write([{ in: "lifecycles", put: { digest, file } }]);
      this.all.set(new Map([...this.all.snapshot(), [digest as Digest, read(file)]]));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === "offline" || error.code === "signed_out") {
        throw error;
      }
    }
  }
}
