// Runs the stories, one after the other, each in a window of its own.
import { readFileSync } from "node:fs";
import { Server } from "./server.mjs";
import { Editor } from "./editor.mjs";
import { stories } from "./stories.mjs";

/** What every client of Opal must be able to do, under these names. */
const shared = readFileSync(new URL("../shared-stories", import.meta.url), "utf8").trim().split("\n");
const missing = shared.filter((name) => !stories.some((story) => story.name === name));
if (missing.length > 0) {
  console.log(`  missing here, but in tests/shared-stories:\n    ${missing.join("\n    ")}`);
  process.exit(1);
}

const only = new RegExp(process.argv[2] ?? "");
const chosen = stories.filter(({ name }) => only.test(name));
const begun = Date.now();
const server = await Server.start();
const stumbled = [];
for (const story of chosen) {
  if (!(await plays(story))) {
    stumbled.push(story);
  }
}
// On a machine that is busy a browser may lose a click or a key: what fails twice is Opal's own.
const failed = [];
for (const story of stumbled) {
  console.log("  once more:");
  if (!(await plays(story))) {
    failed.push(story);
  }
}
await server.stop();
const seconds = Math.round((Date.now() - begun) / 1000);
console.log(`  ${chosen.length} stories, ${failed.length} failed, ${stumbled.length} played twice, ${seconds} s`);
for (const { name } of failed) {
  console.log(`  failed: ${name}`);
}
console.log(`\n${chosen.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 && chosen.length > 0 ? 0 : 1);

async function plays({ name, play }) {
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
    console.log(`    ${trouble.replaceAll("\n", "\n    ")}`);
  }
  return trouble === undefined;
}
