import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";

const ASSETS = "assets/"; // the one folder that the service serves beside the page
const BUILD = "__BUILD__";
const FILES = "__FILES__";

/**
 * Name the build by what is in it: in the page, in the worker, and in a file of its own that open pages ask for.
 *
 * The worker also learns which files make the shell, since it keeps them before anybody is offline.
 */
function named(): Plugin {
  return {
    name: "named-build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const hashed = Object.keys(bundle).filter((name) => /-[\w-]{8}\.\w+$/.test(name));
      const build = createHash("sha256").update(hashed.sort().join("\n")).digest("hex").slice(0, 12);
      const files = JSON.stringify(hashed.map((name) => `/${name}`));
      const worker = bundle[`${ASSETS}worker.js`];
      const page = bundle["index.html"];
      if (worker?.type !== "chunk" || page?.type !== "asset") {
        throw new Error("The build has a worker and a page.");
      }
      worker.code = worker.code.replace(BUILD, `"${build}"`).replace(FILES, files);
      page.source = String(page.source).replace(BUILD, build);
      this.emitFile({ type: "asset", fileName: `${ASSETS}build.json`, source: JSON.stringify({ build }) });
    },
  };
}

export default defineConfig({
  plugins: [named()],
  build: {
    outDir: "../crdt_sync/server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: "index.html", worker: "src/worker.ts" },
      output: {
        entryFileNames: ({ name }) => (name === "worker" ? `${ASSETS}worker.js` : `${ASSETS}[name]-[hash].js`),
      },
    },
  },
});
