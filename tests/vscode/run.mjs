// Runs the stories, one after the other, each in a window of its own.
import { readFileSync } from "node:fs";
import { Server } from "./server.mjs";
import { Editor } from "./editor.mjs";
import { stories } from "./stories.mjs";

const only = process.argv[2];
/** What every client of Opal must be able to do, under these names. */
const shared = readFileSync(new URL("../shared-stories", import.meta.url), "utf8").trim().split("\n");
const missing = shared.filter((name) => !stories.some((story) => story.name === name));
if (missing.length > 0) {
  console.log(`  missing here, but in tests/shared-stories:\n    ${missing.join("\n    ")}`);
  process.exit(1);
}
const server = await Server.start();
let failed = 0;
let ran = 0;
const begun = Date.now();
for (const { name, play } of stories) {
  if (only && !name.includes(only)) {
    continue;
  }
  ran += 1;
  const start = Date.now();
  const t = await Editor.open(server);
  let trouble;
  try {
    await play(t);
    t.expect("errors in the view", t.errors, []);
  } catch (error) {
    trouble = `${error.expectation ?? error.stack}\n${await t.describe(name)}`;
  }
  await t.close();
  console.log(`  ${trouble ? "✗" : "✓"} ${name} (${Date.now() - start} ms)`);
  for (const line of t.figures) {
    console.log(`      ${line}`);
  }
  if (trouble) {
    failed += 1;
    console.log(`    ${trouble.replaceAll("\n", "\n    ")}`);
  }
}
await server.stop();
console.log(`  ${ran} stories, ${failed} failed, ${Math.round((Date.now() - begun) / 1000)} s`);
process.exit(failed === 0 && ran > 0 ? 0 : 1);
