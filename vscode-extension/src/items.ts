/**
 * What the extension and the page of its view say to each other: the conversation as items, what became of
 * them as patches, and what the user does as requests. Both sides hold the same items in the same order.
 */
import type {
  ConfirmAction,
  ConfirmDetails,
  ContextUsage,
  QueuedMessage,
  ToolResult,
  WaitingFor,
} from "./protocol";

/** One part of the conversation as it is shown. */
export type Item =
  | { id: string; kind: "user"; text: string; steering?: boolean; attachments?: string[] }
  | { id: string; kind: "assistant"; text: string; done: boolean; interrupted?: boolean }
  | { id: string; kind: "thinking"; text: string; done: boolean }
  | ToolItem
  | {
      id: string;
      kind: "note";
      tone: "info" | "warning" | "error";
      text: string;
      hint?: string;
      detail?: string;
    };

export interface ToolItem {
  id: string;
  kind: "tool";
  tool: string;
  /** Absent in a conversation that was read from the store. */
  args?: unknown;
  /** What a command has written so far. */
  output: string;
  /** Absent while it runs. */
  result?: ToolResult;
}

/** How a longer text of an item is called. */
export type TextField = "text" | "output";

export type Patch =
  | { op: "add"; item: Item }
  /** The item with this id becomes this one. */
  | { op: "set"; item: Item }
  | { op: "append"; id: string; field: TextField; delta: string }
  | { op: "remove"; id: string };

/** What the user is asked. */
export type Asked =
  | {
      kind: "confirm";
      question_id: string;
      title: string;
      message: string;
      actions: ConfirmAction[];
      details: ConfirmDetails;
    }
  | { kind: "input"; question_id: string; prompt: string; choices: string[]; sensitive: boolean };

/** Everything beside the conversation. Small, so it is always sent as a whole. */
export interface Status {
  /** `none`: there is no session yet. `starting`: the server or the session is on its way. */
  state: "none" | "starting" | "idle" | "running";
  waiting_for?: WaitingFor;
  queue: QueuedMessage[];
  questions: Asked[];
  usage?: ContextUsage;
  model?: string;
  thinking_level?: string;
  permission_mode?: string;
  /** Why nothing works, and what can be done about it. */
  problem?: Problem;
}

export interface Problem {
  message: string;
  hint?: string;
  /** Offered as a button: a command and what it is called. */
  command?: string;
  label?: string;
}

/** A file that the session changed, to be kept or taken back. */
export interface ChangedFile {
  uri: string;
  path: string;
  added: number;
  removed: number;
  error?: string;
  hunks: { hunk_id: string; header: string; lines: string }[];
}

/** Something that goes along with a prompt. */
export type Mention =
  | { kind: "file"; label: string; uri: string }
  | { kind: "selection"; label: string; uri: string; range: Range }
  | { kind: "symbol"; label: string; name: string; uri: string; range: Range }
  /** Those of several files have no place. */
  | { kind: "diagnostics"; label: string; text: string; place?: { uri: string; range: Range } }
  | { kind: "image"; label: string; mime_type: string; data: string };

/** A command that can be given in the prompt box. */
export interface CommandOffer {
  kind: "command";
  command: string;
  title: string;
  help: string;
}

export type Offer = Mention | CommandOffer;

export interface Range {
  start: { line: number; character: number };
  end: { line: number; character: number };
}

export type ToView =
  | { type: "reset"; items: Item[]; status: Status }
  | { type: "patch"; patches: Patch[]; status?: Status }
  | { type: "changes"; files: ChangedFile[]; ran_commands: number }
  | { type: "offers"; query: string; offers: Offer[] }
  | { type: "attach"; mentions: Mention[] }
  /** Text that did not reach the model goes back into the prompt box. */
  | { type: "restore"; text: string }
  | { type: "focus" };

export type FromView =
  | { type: "ready" }
  | { type: "send"; text: string; mentions: Mention[]; how: "send" | "queue" }
  /** The pictures that are attached are these now. */
  | { type: "pictures"; pictures: Mention[] }
  | { type: "abort" }
  /** What was pasted is not attached. */
  | { type: "image_too_large"; most_bytes: number }
  | { type: "withdraw"; message_id: string }
  | { type: "answer"; question_id: string; action: ConfirmAction; message?: string }
  | { type: "reply"; question_id: string; text: string }
  /** Opens an input box for the question. */
  | { type: "type_answer"; question_id: string }
  | { type: "show_question_diff"; question_id: string }
  | { type: "show_call_diff"; id: string }
  | { type: "open"; href: string }
  /** What stands behind an `@` or a `/`, with it. */
  | { type: "offers"; query: string }
  | { type: "review" }
  | { type: "keep"; uri?: string; hunk_id?: string }
  | { type: "undo"; uri: string; hunk_id?: string }
  | { type: "command"; command: string };
