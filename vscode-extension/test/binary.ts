import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, is_older, parse_version, type Where } from "../src/binary";

const where: Where = {
  configured: "",
  extension_dir: "/ext",
  path: "/usr/bin:/opt/bin",
  platform: "linux",
  home: "/home/ann",
};

test("the one that came along, then PATH", () =>
  assert.deepEqual(candidates(where), ["/ext/bin/opal", "/usr/bin/opal", "/opt/bin/opal"]));

test("what is set is meant", () => {
  assert.deepEqual(candidates({ ...where, configured: "~/opal/opal" }), ["/home/ann/opal/opal"]);
  assert.deepEqual(candidates({ ...where, configured: " opal-dev " }), [
    "/usr/bin/opal-dev",
    "/opt/bin/opal-dev",
  ]);
});

test("nothing is taken from the folder that is open", () => {
  assert.deepEqual(candidates({ ...where, path: ":.:bin:/usr/bin" }), ["/ext/bin/opal", "/usr/bin/opal"]);
  assert.deepEqual(candidates({ ...where, configured: "./opal" }), []);
  assert.deepEqual(candidates({ ...where, configured: "bin/opal" }), []);
});

test("versions", () => {
  assert.equal(parse_version("opal 0.1.0\n"), "0.1.0");
  assert.equal(parse_version("opal 1.2.3-rc.1 (abc)\n"), "1.2.3-rc.1");
  assert.equal(parse_version("git version 2.39"), undefined);
  assert.equal(is_older("0.0.9", "0.1.0"), true);
  assert.equal(is_older("0.1.0", "0.1.0"), false);
  assert.equal(is_older("0.10.0", "0.9.1"), false);
});
