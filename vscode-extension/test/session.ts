/** What becomes of events: a line of data each, through one `check`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Item, Patch } from "../src/items";
import type { AgentEvent, EventParams, HistoryEntry, SessionState } from "../src/protocol";
import { about, count, lines_of, merge, Session } from "../src/session";

const STATE: SessionState = {
  session_id: "s",
  seq: 0,
  status: "idle",
  queue: [],
  questions: [],
  usage: { used: 0, input: 0, cached: 0, output: 0, reasoning: 0 },
  model: "work/gpt-5",
  permission_mode: "ask",
  working_dir: "/home/ann/shop",
  shell: "bash",
};

function started(): Session {
  const session = new Session("s");
  session.load(STATE);
  return session;
}

function play(session: Session, events: AgentEvent[]): Patch[] {
  return events.flatMap((event) => {
    const outcome = session.fold({ ...event, session_id: "s", seq: session.seq + 1 } as EventParams);
    assert.equal(outcome.missed, false);
    return outcome.patches;
  });
}

/** The conversation, a line an item. */
function show(items: Item[]): string[] {
  return items.map((item) => {
    switch (item.kind) {
      case "user":
        return `${item.steering ? "steer" : "user"}: ${item.text}`;
      case "tool":
        return `${item.tool}: ${item.result ? (item.result.ok ? "ok" : `failed ${item.result.error}`) : "runs"}`;
      case "note":
        return `${item.tone}: ${item.text}`;
      default:
        return `${item.kind}${item.done ? "" : "…"}: ${item.text}`;
    }
  });
}

function check(events: AgentEvent[], expected: string[]): void {
  const session = started();
  const patches = play(session, events);
  assert.deepEqual(show(session.items), expected);
  assert.deepEqual(show(follow(patches)), expected, "who applies the patches has the same");
}

/** What a view makes of patches. */
function follow(patches: Patch[]): Item[] {
  const items: Item[] = [];
  for (const patch of patches) {
    if (patch.op === "add") {
      items.push({ ...patch.item });
      continue;
    }
    const id = patch.op === "set" ? patch.item.id : patch.id;
    const idx = items.findIndex((item) => item.id === id);
    assert.ok(idx >= 0, `${patch.op} of what is not there: ${id}`);
    if (patch.op === "set") {
      items[idx] = { ...patch.item };
    } else if (patch.op === "remove") {
      items.splice(idx, 1);
    } else {
      (items[idx] as unknown as Record<string, string>)[patch.field] += patch.delta;
    }
  }
  return items;
}

test("an answer grows, and its end is authoritative", () =>
  check(
    [
      { type: "agent_start" },
      { type: "turn_start", turn_id: "t", text: "greet me" },
      { type: "message_start", message_id: "m" },
      { type: "thinking_start", message_id: "m" },
      { type: "thinking_delta", message_id: "m", delta: "Hm" },
      { type: "thinking_end", message_id: "m", text: "Hm, so." },
      { type: "message_delta", message_id: "m", delta: "Hel" },
      { type: "message_delta", message_id: "m", delta: "lo" },
      { type: "message_end", message_id: "m", text: "Hello." },
      { type: "agent_end", reason: "completed" },
    ],
    ["user: greet me", "thinking: Hm, so.", "assistant: Hello."],
  ));

test("an answer without words leaves nothing", () =>
  check(
    [
      { type: "message_start", message_id: "m" },
      { type: "message_end", message_id: "m", text: "" },
    ],
    [],
  ));

test("a retry voids what was said", () =>
  check(
    [
      { type: "message_start", message_id: "m" },
      { type: "message_delta", message_id: "m", delta: "Hel" },
      { type: "retry", message_id: "m", attempt: 1, delay_ms: 2000, reason: "the stream was cut" },
      { type: "message_start", message_id: "m2" },
      { type: "message_end", message_id: "m2", text: "Hello." },
    ],
    ["warning: Trying again (1): the stream was cut", "assistant: Hello."],
  ));

test("a call shows its output, then its result", () =>
  check(
    [
      { type: "tool_execution_start", tool: "shell", call_id: "c", args: { command: "ls" } },
      { type: "tool_output", call_id: "c", delta: "a.txt\n" },
      { type: "tool_execution_end", tool: "shell", call_id: "c", result: { ok: true, output: "a.txt" } },
      { type: "tool_execution_end", tool: "read", call_id: "d", result: { ok: false, error: "gone" } },
    ],
    ["shell: ok", "read: failed gone"],
  ));

test("what an abort cut off is closed", () =>
  check(
    [
      { type: "turn_start", turn_id: "t", text: "go" },
      { type: "message_start", message_id: "m" },
      { type: "message_delta", message_id: "m", delta: "I" },
      { type: "tool_execution_start", tool: "shell", call_id: "c", args: {} },
      { type: "agent_abort" },
      { type: "agent_end", reason: "aborted" },
    ],
    ["user: go", "assistant: I", "shell: failed stopped", "info: Stopped."],
  ));

test("an error ends the run and is told once", () =>
  check(
    [
      {
        type: "error",
        code: "not_signed_in",
        message: "work rejected the credentials",
        hint: "Check WORK_KEY.",
      },
      { type: "agent_end", reason: "error" },
    ],
    ["error: work rejected the credentials"],
  ));

test("a warning ends nothing", () =>
  check(
    [
      { type: "message_delta", message_id: "m", delta: "All of it." },
      { type: "message_end", message_id: "m", text: "All of it." },
      { type: "warning", code: "unknown_stop", message: "ended for an odd reason", hint: "Look." },
      { type: "agent_end", reason: "completed" },
    ],
    ["assistant: All of it.", "warning: ended for an odd reason"],
  ));

test("tokens that nobody counted are marked", () => {
  assert.equal(about({ ...STATE.usage, estimated: true }), "~");
  assert.equal(about(STATE.usage), "");
  assert.equal(about(undefined), "");
});

test("steering stands in the conversation when the model has it", () => {
  const session = started();
  play(session, [{ type: "message_queued", message_id: "m", text: "shorter", kind: "steering" }]);
  assert.deepEqual(show(session.items), []);
  assert.equal(session.queue.length, 1);
  play(session, [{ type: "message_applied", message_id: "m" }]);
  assert.deepEqual(show(session.items), ["steer: shorter"]);
  assert.equal(session.queue.length, 0);
});

test("a follow-up begins a turn of its own", () =>
  check(
    [
      { type: "message_queued", message_id: "m", text: "and then", kind: "follow_up" },
      { type: "message_applied", message_id: "m" },
      { type: "turn_start", turn_id: "t", text: "and then" },
    ],
    ["user: and then"],
  ));

test("a merged delta continues, a gap is noticed, what is old is ignored", () => {
  const session = started();
  const delta = (seq: number, first_seq?: number) =>
    session.fold({
      session_id: "s",
      seq,
      first_seq,
      type: "message_delta",
      message_id: "m",
      delta: "x",
    } as EventParams);
  play(session, [{ type: "message_start", message_id: "m" }]);
  assert.equal(delta(9, 2).missed, false);
  assert.equal(delta(12).missed, true);
  assert.deepEqual(delta(12), { patches: [], status: false, missed: false });
  assert.deepEqual(show(session.items), ["assistant…: xx"]);
});

test("an event of a later version is ignored", () => {
  const session = started();
  const outcome = session.fold({ session_id: "s", seq: 1, type: "weather" } as unknown as EventParams);
  assert.deepEqual(outcome, { patches: [], status: false, missed: false });
});

test("a stored conversation is read, and events of what it holds already add nothing", () => {
  const session = started();
  const entry = (entry_id: string, content: HistoryEntry["content"]): HistoryEntry => ({
    entry_id,
    created_at_ms: 0,
    content,
  });
  session.load_history([
    entry("1", { kind: "user", turn_id: "t", text: "go" }),
    entry("2", { kind: "assistant", text: "" }),
    entry("3", {
      kind: "tool_result",
      tool: "edit",
      call_id: "c",
      result: { ok: true, diff: "@@ -1 +1 @@" },
    }),
    entry("4", { kind: "assistant", text: "Done." }),
    entry("5", { kind: "later" } as never),
  ]);
  play(session, [{ type: "turn_start", turn_id: "t", text: "go" }]);
  assert.deepEqual(show(session.items), ["user: go", "edit: ok", "assistant: Done."]);
  assert.deepEqual(session.edited, ["t"]);
});

test("the turns that changed files are known, each once", () => {
  const session = started();
  const edited: AgentEvent = { type: "document_edited", uri: "file:///a", diff: "" };
  play(session, [{ type: "turn_start", turn_id: "t1", text: "a" }, edited, edited]);
  play(session, [{ type: "turn_start", turn_id: "t2", text: "b" }]);
  play(session, [{ type: "turn_start", turn_id: "t3", text: "c" }, edited]);
  assert.deepEqual(session.edited, ["t1", "t3"]);
});

test("neighbouring pieces of one text are sent as one", () => {
  const piece = (id: string, delta: string): Patch => ({ op: "append", id, field: "text", delta });
  assert.deepEqual(merge([piece("a", "1"), piece("a", "2"), piece("b", "3"), piece("a", "4")]), [
    piece("a", "12"),
    piece("b", "3"),
    piece("a", "4"),
  ]);
});

test("numbers are short", () =>
  assert.deepEqual([950, 1000, 12_345, 272_000].map(count), ["950", "1k", "12.3k", "272k"]));

test("lines are named as they are seen", () => {
  const range = (first: number, last: number, character: number) =>
    lines_of({ start: { line: first, character: 0 }, end: { line: last, character } });
  assert.deepEqual([range(0, 0, 5), range(0, 1, 0), range(0, 2, 3), range(4, 4, 0)], ["1", "1", "1-3", "5"]);
});
