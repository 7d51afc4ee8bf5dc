/**
 * The session as the server's events tell it: the conversation as items, and what stands beside it. Pure: an
 * event goes in, patches for those who show it come out. It neither asks the server nor knows the editor.
 */
import type { Item, Patch, Range, TextField, ToolItem } from "./items";
import type {
  Attachment,
  ContextUsage,
  EndReason,
  EventParams,
  HistoryEntry,
  QueuedMessage,
  SessionState,
  WaitingFor,
} from "./protocol";

/** What became of an event. */
export interface Outcome {
  patches: Patch[];
  /** Something beside the conversation is different. */
  status: boolean;
  /** Events are missing: the state and the history have to be read. */
  missed: boolean;
}

const ENDINGS: Partial<Record<EndReason, [tone: "info" | "warning" | "error", text: string]>> = {
  aborted: ["info", "Stopped."],
  error: ["error", "The run ended because of the error above."],
  length: ["warning", "The model reached its output limit."],
  denied: ["info", "Everything was denied, so the model was told to stop."],
  loop: ["warning", "The model repeated the same call without effect, so it was stopped."],
};

export class Session {
  readonly items: Item[] = [];
  readonly id: string;
  seq = 0;
  running = false;
  waiting_for: WaitingFor | undefined;
  queue: QueuedMessage[] = [];
  usage: ContextUsage | undefined;
  model = "";
  thinking_level: string | undefined;
  permission_mode = "";
  working_dir = "";
  /** Turns that changed files, oldest first. */
  readonly edited: string[] = [];

  private readonly by_id = new Map<string, Item>();
  private patches: Patch[] = [];
  private turn: string | undefined;
  private last_note = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Takes over the whole state, as `session/start`, `session/resume` and `agent/state` tell it. */
  load(state: SessionState): void {
    this.seq = state.seq;
    this.running = state.status === "running";
    this.waiting_for = state.waiting_for;
    this.turn = state.turn_id;
    this.queue = [...state.queue];
    this.usage = state.usage;
    this.model = state.model;
    this.thinking_level = state.thinking_level;
    this.permission_mode = state.permission_mode;
    this.working_dir = state.working_dir;
  }

  /** Begins the conversation anew with what is stored of it. */
  load_history(entries: HistoryEntry[]): void {
    this.items.length = 0;
    this.edited.length = 0;
    this.by_id.clear();
    let turn: string | undefined;
    for (const entry of entries) {
      const { entry_id, content } = entry;
      if (content.kind === "user") {
        turn = content.turn_id;
      } else if (content.kind === "tool_result" && content.result.diff && turn) {
        this.changed_files(turn);
      }
      const item = from_history(entry_id, content);
      if (item) {
        this.add(item);
      }
    }
    this.patches = [];
  }

  /** The change that a call made, as a unified diff. */
  diff_of(item_id: string): { diff: string; path: string } | undefined {
    const item = this.by_id.get(item_id);
    const path = item?.kind === "tool" ? argument(item.args, "path") : undefined;
    return item?.kind === "tool" && item.result?.diff
      ? { diff: item.result.diff, path: path ?? "" }
      : undefined;
  }

  /** Says something that is no event of the server's. */
  note(tone: "info" | "warning" | "error", text: string, hint?: string): Patch[] {
    this.add_note(tone, text, hint);
    return this.take_patches();
  }

  /** Nothing runs any more: the server is gone. */
  lost(): Patch[] {
    this.running = false;
    this.waiting_for = undefined;
    this.close_open_items();
    return this.take_patches();
  }

  fold(event: EventParams): Outcome {
    if (event.session_id !== this.id || event.seq <= this.seq) {
      return { patches: [], status: false, missed: false };
    }
    const missed = (event.first_seq ?? event.seq) !== this.seq + 1;
    this.seq = event.seq;
    const status = this.apply(event);
    return { patches: this.take_patches(), status, missed };
  }

  /** Returns whether something beside the conversation is different. */
  private apply(event: EventParams): boolean {
    switch (event.type) {
      case "message_delta":
        // Not with `message_start`: the model may think first, and that stands above.
        this.add({ id: `m:${event.message_id}`, kind: "assistant", text: "", done: false });
        this.append(`m:${event.message_id}`, "text", event.delta);
        return false;
      case "thinking_delta":
        this.append(`t:${event.message_id}`, "text", event.delta);
        return false;
      case "tool_output":
        this.append(`c:${event.call_id}`, "output", event.delta);
        return false;
      case "agent_start":
        this.running = true;
        return true;
      case "turn_start":
        this.turn = event.turn_id;
        this.add({
          id: `u:${event.turn_id}`,
          kind: "user",
          text: event.text,
          attachments: (event.attachments ?? []).map(describe_attachment),
        });
        return true;
      case "thinking_start":
        this.add({ id: `t:${event.message_id}`, kind: "thinking", text: "", done: false });
        return false;
      case "message_end":
        this.end_text(`m:${event.message_id}`, "assistant", event.text);
        return false;
      case "thinking_end":
        this.end_text(`t:${event.message_id}`, "thinking", event.text);
        return false;
      case "tool_execution_start":
        this.add({ id: `c:${event.call_id}`, kind: "tool", tool: event.tool, args: event.args, output: "" });
        return false;
      case "tool_execution_end": {
        const id = `c:${event.call_id}`;
        const begun = this.by_id.get(id);
        const item: ToolItem =
          begun?.kind === "tool" ? begun : { id, kind: "tool", tool: event.tool, output: "" };
        this.put({ ...item, result: event.result });
        return false;
      }
      case "document_edited":
        this.changed_files(this.turn);
        return true;
      case "retry":
        this.remove(`m:${event.message_id}`);
        this.remove(`t:${event.message_id}`);
        this.add_note("warning", `Trying again (${event.attempt}): ${event.reason}`);
        return false;
      case "changes_undone":
        this.add_undo(event.files, event.conflicts);
        return true;
      case "model_changed":
        this.model = event.model;
        this.thinking_level = event.thinking_level;
        return true;
      case "compaction_start":
        this.add_note("info", `Compacting ${count(event.used)} tokens…`);
        return false;
      case "compaction_end":
        if (event.error) {
          this.add_note("error", `Not compacted: ${event.error}`);
        } else {
          const how = event.fallback ? ", without a model" : "";
          this.add_note("info", `Compacted to ${count(event.used)} tokens${how}.`, undefined, event.summary);
        }
        return true;
      case "message_queued":
        this.queue.push({ message_id: event.message_id, text: event.text, kind: event.kind });
        return true;
      case "message_applied": {
        const message = this.unqueue(event.message_id);
        if (message?.kind === "steering") {
          this.add({ id: `s:${message.message_id}`, kind: "user", text: message.text, steering: true });
        }
        return true;
      }
      case "message_withdrawn":
        this.unqueue(event.message_id);
        return true;
      case "usage_update":
        this.usage = event.usage;
        return true;
      case "status_update":
        this.running = event.state === "running";
        this.waiting_for = event.waiting_for;
        return true;
      case "warning":
        this.add_note("warning", event.message, event.hint);
        return false;
      case "error":
        this.add_note("error", event.message, event.hint);
        return false;
      case "agent_end": {
        this.running = false;
        this.waiting_for = undefined;
        this.close_open_items();
        const ending = ENDINGS[event.reason];
        if (ending && !(event.reason === "error" && this.last_is_error())) {
          this.add_note(...ending);
        }
        return true;
      }
      default:
        // `branched` is for those who read the history; the rest is of later versions, or told by another event.
        return false;
    }
  }

  private take_patches(): Patch[] {
    const patches = this.patches;
    this.patches = [];
    return patches;
  }

  private add(item: Item): void {
    if (this.by_id.has(item.id)) {
      return; // told by the history already
    }
    this.items.push(item);
    this.by_id.set(item.id, item);
    this.patches.push({ op: "add", item: { ...item } });
  }

  private put(item: Item): void {
    const idx = this.items.findLastIndex(({ id }) => id === item.id);
    if (idx < 0) {
      this.add(item);
      return;
    }
    this.items[idx] = item;
    this.by_id.set(item.id, item);
    this.patches.push({ op: "set", item: { ...item } });
  }

  private append(id: string, field: TextField, delta: string): void {
    const item = this.by_id.get(id);
    if (item && field in item) {
      (item as unknown as Record<TextField, string>)[field] += delta;
      this.patches.push({ op: "append", id, field, delta });
    }
  }

  private remove(id: string): void {
    const idx = this.items.findLastIndex((item) => item.id === id);
    if (idx >= 0) {
      this.items.splice(idx, 1);
      this.by_id.delete(id);
      this.patches.push({ op: "remove", id });
    }
  }

  private end_text(id: string, kind: "assistant" | "thinking", text: string): void {
    if (text === "") {
      this.remove(id); // the model only called tools
    } else {
      this.put({ id, kind, text, done: true });
    }
  }

  private unqueue(message_id: string): QueuedMessage | undefined {
    const message = this.queue.find((queued) => queued.message_id === message_id);
    this.queue = this.queue.filter((queued) => queued !== message);
    return message;
  }

  /** What was cut off gets no end of its own. */
  private close_open_items(): void {
    const from = Math.max(
      0,
      this.items.findLastIndex((item) => item.kind === "user" && !item.steering),
    );
    for (const item of this.items.slice(from)) {
      if (item.kind === "tool" && !item.result) {
        this.put({ ...item, result: { ok: false, error: "stopped" } });
      } else if ((item.kind === "assistant" || item.kind === "thinking") && !item.done) {
        this.put({ ...item, done: true });
      }
    }
  }

  private last_is_error(): boolean {
    const last = this.items.at(-1);
    return last?.kind === "note" && last.tone === "error";
  }

  private add_note(tone: "info" | "warning" | "error", text: string, hint?: string, detail?: string): void {
    this.last_note += 1;
    this.add({ id: `n:${this.last_note}`, kind: "note", tone, text, hint, detail });
  }

  private add_undo(files: string[], conflicts: string[]): void {
    if (files.length > 0) {
      this.add_note("info", `Taken back: ${files.join(", ")}`);
    }
    if (conflicts.length > 0) {
      this.add_note("warning", `Left as they are: ${conflicts.join(", ")}`);
    }
  }

  private changed_files(turn: string | undefined): void {
    if (turn && this.edited.at(-1) !== turn) {
      this.edited.push(turn);
    }
  }
}

function from_history(id: string, content: HistoryEntry["content"]): Item | undefined {
  const note = (text: string, detail?: string): Item => ({
    id: `h:${id}`,
    kind: "note",
    tone: "info",
    text,
    detail,
  });
  switch (content.kind) {
    case "user":
      return { id: `u:${content.turn_id}`, kind: "user", text: content.text };
    case "steering":
      return { id: `h:${id}`, kind: "user", text: content.text, steering: true };
    case "assistant":
      return content.text === ""
        ? undefined
        : {
            id: `h:${id}`,
            kind: "assistant",
            text: content.text,
            done: true,
            interrupted: content.interrupted,
          };
    case "tool_result":
      return {
        id: `c:${content.call_id}`,
        kind: "tool",
        tool: content.tool,
        args: content.args,
        output: "",
        result: content.result,
      };
    case "compaction":
      return note(
        `Compacted from ${count(content.tokens_before)} to ${count(content.tokens_after)} tokens.`,
        content.summary,
      );
    case "undo":
      return note(`Taken back: ${content.files.join(", ")}`);
    case "model_change":
      return note(`From here on ${content.model} answers.`);
    default:
      return undefined;
  }
}

function describe_attachment(attachment: Attachment): string {
  if (attachment.type === "image") {
    return "image";
  }
  const name = decodeURIComponent(attachment.uri.replace(/^.*\//, ""));
  return attachment.type === "file" ? name : `${name}:${lines_of(attachment.range)}`;
}

/** The lines of a range as a person reads them. One that ends before a line's first character leaves it out. */
export function lines_of({ start, end }: Range): string {
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  return last === start.line + 1 ? String(last) : `${start.line + 1}-${last}`;
}

/** A string argument of a tool call. */
export function argument(args: unknown, name: string): string | undefined {
  const value =
    typeof args === "object" && args !== null ? (args as Record<string, unknown>)[name] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** Stands before the tokens in the window if they are an estimate. */
export function about(usage: ContextUsage | undefined): string {
  return usage?.estimated ? "~" : "";
}

/** As a person reads it: 950, 12.3k. */
export function count(tokens: number): string {
  return tokens < 1000
    ? String(tokens)
    : `${(tokens / 1000).toFixed(tokens < 100_000 ? 1 : 0).replace(/\.0$/, "")}k`;
}

/** Neighbouring pieces of one text are one piece. */
export function merge(patches: Patch[]): Patch[] {
  const merged: Patch[] = [];
  for (const patch of patches) {
    const last = merged.at(-1);
    if (
      patch.op === "append" &&
      last?.op === "append" &&
      last.id === patch.id &&
      last.field === patch.field
    ) {
      merged[merged.length - 1] = { ...last, delta: last.delta + patch.delta };
    } else {
      merged.push(patch);
    }
  }
  return merged;
}
