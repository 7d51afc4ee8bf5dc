import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "../src/words";

const check = (text: string, shown: string) => assert.equal(printable(text), shown);

test("nothing hides or turns around", () => {
  check("a\u202eb\u061cc\u200bd\ufeffe", "a\\u{202e}b\\u{61c}c\\u{200b}d\\u{feff}e");
  check("\u001b[2J\u009b\u007f\r", "\\u{1b}[2J\\u{9b}\\u{7f}\\u{d}");
  check("a\u2028b\u{e0041}", "a\\u{2028}b\\u{e0041}");
  check("r\u200dm", "r\\u{200d}m");
  check("a\ufe0f", "a\\u{fe0f}");
});

test("emoji, Persian and lines survive", () => {
  for (const text of ["👩\u200d❤\ufe0f\u200d👨", "می\u200cخواهم", "1\ufe0f\u20e3", "a\n\tb", "שלום"]) {
    check(text, text);
  }
  check("a\r\nb", "a\nb");
});

test("an emoji that is cut into two pieces survives", () => {
  check("👩\u200d", "👩\u200d");
  check("\u200d🚀", "\u200d🚀");
});
