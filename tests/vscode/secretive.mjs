#!/usr/bin/env node
// A server that asks for a secret at every prompt, which the real one never does so far.
const state = {
  session_id: "secret", seq: 0, status: "idle", queue: [], questions: [], model: "none/none", permission_mode: "ask",
  usage: { used: 0, input: 0, cached: 0, output: 0, reasoning: 0 }, working_dir: process.cwd(), shell: "sh",
};
const ANSWERS = {
  initialize: () => ({ capabilities: {} }),
  "session/start": () => ({ session_id: state.session_id, state }),
  "session/history": () => ({ entries: [] }),
  "session/changes": () => ({ files: [], ran_commands: [] }),
  "agent/prompt": ({ text }) => {
    tell({ type: "turn_start", turn_id: "t", text });
    const params = { session_id: "secret", question_id: "q", prompt: "The passphrase of the key?", sensitive: true };
    send({ id: "ask", method: "client/input", params });
    return { ok: true, turn_id: "t" };
  },
  shutdown: () => null,
};

function send(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  process.stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function tell(event) {
  state.seq += 1;
  send({ method: "agent/event", params: { session_id: "secret", seq: state.seq, ...event } });
}

function receive({ id, method, params, result }) {
  if (method === "exit") {
    process.exit(0);
  } else if (method && id !== undefined) {
    send({ id, result: ANSWERS[method]?.(params) ?? null });
  } else if (id === "ask") {
    tell({ type: "message_delta", message_id: "m", delta: `It has ${result.text.length} letters.` });
  }
}

if (process.argv.includes("--version")) {
  console.log("opal 0.1.0");
} else {
  let buffer = Buffer.alloc(0);
  process.stdin.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      const head = buffer.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, Math.max(head, 0)))?.[1] ?? Infinity);
      if (buffer.length < head + 4 + length) {
        return;
      }
      receive(JSON.parse(buffer.subarray(head + 4, head + 4 + length)));
      buffer = buffer.subarray(head + 4 + length);
    }
  });
}
