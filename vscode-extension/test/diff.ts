import assert from "node:assert/strict";
import { test } from "node:test";
import { after, before, by_file, parse_diff, shown_lines } from "../src/diff";

function check(old: string, diff: string, now: string): void {
  assert.equal(before(now, diff), old);
  assert.equal(after(old, diff), now);
}

test("a changed line", () => check("a\nb\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", "a\nB\nc\n"));

test("names in front are no hunk", () => check("a\n", "--- a.txt\n+++ a.txt\n@@ -1 +1 @@\n-a\n+b\n", "b\n"));

test("two hunks", () =>
  check(
    "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
    "@@ -1,2 +1,3 @@\n+0\n 1\n 2\n@@ -8,2 +9,1 @@\n-8\n 9\n",
    "0\n1\n2\n3\n4\n5\n6\n7\n9\n",
  ));

test("lines added to nothing", () => check("", "@@ -0,0 +1,2 @@\n+a\n+b\n", "a\nb\n"));

test("everything removed", () => check("a\nb\n", "@@ -1,2 +0,0 @@\n-a\n-b\n", ""));

test("only added in the middle", () => check("a\nc\n", "@@ -1,0 +2,1 @@\n+b\n", "a\nb\nc\n"));

test("line ends stay as they are", () => check("a\r\nb\r\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B\n", "a\r\nB\r\n"));

test("a last line without an end", () =>
  check(
    "a\nb",
    "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+B\n\\ No newline at end of file\n",
    "a\nB",
  ));

test("a last line gets its end", () =>
  check("a", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "a\n"));

test("a text that the diff does not fit is refused", () => {
  assert.equal(before("x\n", "@@ -1 +1 @@\n-a\n+b\n"), undefined);
});

test("a removed line that looks like a header is a line", () => {
  const [hunk] = parse_diff("@@ -1,2 +1 @@\n--- a\n b\n");
  assert.deepEqual(hunk?.lines, ["--- a", " b"]);
});

function check_shown(diff: string, expected: string[]): void {
  assert.deepEqual(
    shown_lines(diff).map(({ kind, text }) => `${kind}: ${text}`),
    expected,
  );
}

test("a line that looks like a file's name is shown all the same", () =>
  check_shown("--- a.sql\n+++ a.sql\n@@ -1,2 +1,1 @@\n--- drop it\n+++ keep it\n", [
    "removed: --- drop it",
    "added: +++ keep it",
  ]));

test("places and the names of several files are shown", () =>
  check_shown("--- a\n+++ a\n@@ -7 +7 @@\n-a\n+b\n--- b\n+++ /dev/null\n@@ -1 +0,0 @@\n-c\n", [
    "file: a",
    "place: line 7",
    "removed: -a",
    "added: +b",
    "file: b",
    "removed: -c",
  ]));

test("what is no diff is shown as it is", () => check_shown("too long to show", ["same: too long to show"]));

test("a joined diff is taken apart by its files, not by lines that look like their names", () => {
  const one = "--- a.lua\n+++ a.lua\n@@ -1,2 +1 @@\n--- a comment\n x\n";
  const other = "--- b c.txt\n+++ b c.txt\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n";
  assert.deepEqual(by_file(one + other), [
    { path: "a.lua", diff: one },
    { path: "b c.txt", diff: other },
  ]);
});
