import assert from "node:assert/strict";
import { test } from "node:test";
import type { Patch } from "../src/items";
import { take } from "../src/view/frames";

const piece = (delta: string): Patch => ({ op: "append", id: "a", field: "text", delta });
const gone: Patch = { op: "remove", id: "b" };

function check(patches: Patch[], most: number, taken: Patch[], left: Patch[]): void {
  assert.deepEqual(take(patches, most), taken);
  assert.deepEqual(patches, left);
}

test("what fits is taken whole", () => check([piece("ab"), gone], 5, [piece("ab"), gone], []));
test("a longer text is cut, and what follows waits", () =>
  check([piece("ab"), piece("cdef"), gone], 4, [piece("ab"), piece("cd")], [piece("ef"), gone]));
test("nothing is nothing", () => check([], 5, [], []));
