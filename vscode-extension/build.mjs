// Bundles the extension: node build.mjs [--production | --watch | --tests]
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build, context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const common = {
  bundle: true,
  minify: flags.has("--production"),
  sourcemap: flags.has("--production") ? false : "linked",
  legalComments: "none",
  logLevel: "warning",
};

/** What runs in the extension host. VS Code 1.100 brings Node.js 20. */
const extension = {
  ...common,
  entryPoints: ["src/extension.ts"],
  outdir: "out",
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
};

/** What runs in the page of the view. */
const view = {
  ...common,
  entryPoints: { view: "src/view/main.ts", style: "src/view/style.css" },
  outdir: "out",
  platform: "browser",
  target: "es2022",
  format: "iife",
};

/** The parts that need neither an editor nor a page. */
const tests = {
  ...common,
  entryPoints: readdirSync("test").map((name) => `test/${name}`),
  outdir: "out/test",
  outExtension: { ".js": ".test.mjs" },
  platform: "node",
  target: "node20",
  format: "esm",
};

if (flags.has("--tests")) {
  await build(tests);
} else if (flags.has("--watch")) {
  for (const options of [extension, view]) {
    await (await context(options)).watch();
  }
} else {
  await Promise.all([build(extension), build(view)]);
  // Either of the two, as the whole project.
  const licences = ["MIT", "APACHE"].map((name) => readFileSync(`../LICENSE-${name}`, "utf8"));
  writeFileSync("LICENSE.txt", licences.join(`\n${"-".repeat(80)}\n\n`));
}
