/** What the prompt box offers: a line of data each, through one `check`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands, rank } from "../src/offers";

test("names that begin so come first, then those that hold it, then paths, then its letters in order", () => {
  const paths = ["src/a_p_ple.rs", "app/main.rs", "src/wrap.rs", "src/apply.rs", "readme.md", "src/snapp.rs"];
  assert.deepEqual(
    rank(paths, "app", (path) => path),
    ["src/apply.rs", "src/snapp.rs", "app/main.rs", "src/a_p_ple.rs"],
  );
  assert.equal(rank(paths, "", (path) => path).length, paths.length);
});

const IDLE = "opal.session && !opal.running";
const COMMANDS = [
  { id: "opal.prompt", title: "Prompt…", help: "" },
  { id: "opal.promptAboutSelection", title: "Prompt About Selection…", help: "" },
  { id: "opal.abort", title: "Abort", help: "", enablement: "opal.running" },
  { id: "opal.undo", title: "Undo Last Turn", help: "", enablement: IDLE },
  { id: "opal.undoFile", title: "Undo Opal's Changes of This File", help: "", enablement: IDLE },
  { id: "opal.selectModel", title: "Select Model…", help: "" },
];

function check(query: string, contexts: string[], expected: string[]): void {
  const offered = commands(query, COMMANDS, (context) => contexts.includes(context));
  assert.deepEqual(
    offered.map(({ title }) => title),
    expected,
  );
}

test("each word that is typed begins a word of the title", () => {
  check("model", [], ["Select Model…"]);
  check("sel mod", [], ["Select Model…"]);
  check("odel", [], []);
  check("usr bin", [], []);
});

test("a command is offered while it makes sense", () => {
  check("undo", ["opal.session"], ["Undo Last Turn", "Undo Opal's Changes of This File"]);
  check("undo", ["opal.session", "opal.running"], []);
  check("abort", ["opal.running"], ["Abort"]);
  check("abort", [], []);
  check("prompt", [], ["Prompt About Selection…"]);
});
