/** Where growing Markdown is cut: `|` stands where the text is settled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cut } from "../src/view/blocks";

function check(marked: string, language?: string): void {
  const text = marked.replace("|", "");
  const { settled, fence } = cut(text);
  assert.equal(`${text.slice(0, settled)}|${text.slice(settled)}`, marked);
  assert.equal(fence?.language, language);
}

test("a paragraph may go on", () => check("|One\ntwo"));
test("the next paragraph settles it", () => check("One\n\n|Two\n"));
test("a line that is not whole settles nothing", () => check("|One\n\n-"));
test("a list may go on after an empty line", () => check("|- one\n\n- two\n"));
test("what is indented belongs to the list", () => check("|- one\n\n  more\n"));
test("a paragraph ends a list", () => check("- one\n\n|Then\n"));
test("code that is open is known", () => check("One\n\n|```rust\nfn a() {\n\n}\n", "rust"));
test("code that is closed is settled", () => check("```\na\n```\n|More"));
test("a shorter fence closes nothing", () => check("|````md\n```\na\n```\n", "md"));
test("code in a list belongs to it", () => check("|- one\n\n  ```\n  a\n  ```\n"));
