/** One of it, whatever happens when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { Life } from "../src/life";

/** A life, and what happens in it as words. Each start waits until it is told how it goes. */
function begin() {
  const log: string[] = [];
  const starts: { runs(): void; fails(): void; dies(): void }[] = [];
  const ends: (() => void)[] = [];
  const life = new Life<string>({
    start(stop, died) {
      const name = `no ${starts.length + 1}`;
      log.push(`start ${name}`);
      return new Promise((resolve, reject) => {
        stop.addEventListener("abort", () => reject(new Error("stopped")));
        starts.push({ runs: () => resolve(name), fails: () => reject(new Error("failed")), dies: died });
      });
    },
    end: (name) =>
      new Promise((resolve) => {
        log.push(`end ${name}`);
        ends.push(resolve);
      }),
    on_died: () => log.push("died"),
  });
  const need = (who: string) =>
    life.running().then(
      (name) => log.push(`${who} has ${name}`),
      (error) => log.push(`${who}: ${error.message}`),
    );
  const at = <T>(list: T[], idx: number): T => {
    assert.ok(idx < list.length, `there is no ${idx} yet`);
    return list[idx] as T;
  };
  return {
    life,
    need,
    start: (idx: number) => at(starts, idx),
    ended: (idx: number) => at(ends, idx)(),
    async check(...expected: string[]) {
      await settled();
      assert.deepEqual(log.splice(0), expected);
    },
  };
}

test("who needs it while it starts waits for that one", async () => {
  const t = begin();
  t.need("a");
  t.need("b");
  await t.check("start no 1");
  t.start(0).runs();
  await t.check("a has no 1", "b has no 1");
  t.need("c");
  await t.check("c has no 1");
});

test("after a death there is one new one, for all who need it", async () => {
  const t = begin();
  t.need("a");
  await settled();
  t.start(0).runs();
  await settled();
  t.start(0).dies();
  t.need("b");
  t.need("c");
  await t.check("start no 1", "a has no 1", "died", "start no 2");
  t.start(1).runs();
  await t.check("b has no 2", "c has no 2");
  t.start(0).dies();
  await t.check();
});

test("a start that failed is told, and the next who needs it tries again", async () => {
  const t = begin();
  t.need("a");
  await settled();
  t.start(0).dies();
  t.start(0).fails();
  await t.check("start no 1", "a: failed");
  t.need("b");
  await t.check("start no 2");
});

test("who needs it while it stops waits until it is gone", async () => {
  const t = begin();
  t.need("a");
  await settled();
  t.start(0).runs();
  await settled();
  void t.life.stop();
  t.start(0).dies();
  t.need("b");
  await t.check("start no 1", "a has no 1", "end no 1");
  t.ended(0);
  await t.check("start no 2");
});

test("what is stopped while it starts does not come", async () => {
  const t = begin();
  t.need("a");
  await t.check("start no 1");
  void t.life.stop();
  t.need("b");
  await t.check("a: stopped", "start no 2");
  t.start(1).runs();
  await t.check("b has no 2");
});
