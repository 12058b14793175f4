/** Whether the service has a newer build of this page than the one that is open. */

import { Cell } from "../../store/observable.ts";

const EVERY_MS = 10 * 60_000;

/** True once the service serves another build. */
export const isStale = new Cell(false);

/** Ask the service which build it serves. */
export async function askForBuild(): Promise<void> {
  const own = document.querySelector<HTMLMetaElement>("meta[name=build]")?.content ?? "";
  const answer = await fetch("/assets/build.json", { cache: "no-cache" }).catch(() => null); // offline is no news
  if (answer?.ok) {
    const { build } = (await answer.json()) as { readonly build: string };
    isStale.set(build !== own);
  }
}

/** Ask now, every ten minutes, and whenever somebody comes back to the page or to the network. */
export function watchBuild(): void {
  setInterval(askForBuild, EVERY_MS);
  addEventListener("online", askForBuild);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && askForBuild());
  askForBuild();
}

/** Have the shell start where there is no network; browsers allow it on encrypted pages and on this machine. */
export function installWorker(): void {
  if ("serviceWorker" in navigator) {
    addEventListener("load", () => navigator.serviceWorker.register(workerAddress() as string, { scope: "/" }));
  }
}

/** Browsers that hold scripts to trusted addresses want it from a policy, which the service's policy names. */
function workerAddress(): unknown {
  const address = "/assets/worker.js";
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  return trustedTypes?.createPolicy("crdt-sync", { createScriptURL: () => address }).createScriptURL("") ?? address;
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(): string }): { createScriptURL(input: string): unknown };
}
