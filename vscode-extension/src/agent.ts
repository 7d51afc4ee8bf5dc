/**
 * The one conversation of this window: starts and resumes sessions, passes on what the user says, and keeps
 * the model of the session up to date. Those who show it hear of patches and of changes of the status.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import {
  ConnectionError,
  ErrorCodes,
  type LanguageClient,
  type RequestType,
  ResponseError,
} from "vscode-languageclient/node";
import { NoServer } from "./binary";
import type { Patch, Problem, Status } from "./items";
import * as protocol from "./protocol";
import type { Questions } from "./questions";
import type { Server } from "./server";
import { Session } from "./session";
import { sentence } from "./words";

/** Where the id of the session is kept, so that it goes on after the window was reloaded. */
const SESSION_KEY = "opal.session";
const HISTORY_PAGE = 1000;
/** After a reload the process of before may still hold the session for a moment. */
const HELD_RETRY_MS = 250;
const HELD_TRIES = 24;

/** Why something that the user asked for was not done: for people. */
export class Refused extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

export class Agent implements vscode.Disposable {
  session: Session | undefined;
  /** Whether the server has the session: not if it is another server by now. */
  is_attached = false;
  /** What is on its way: the session that there will be. */
  private beginning: Promise<Session> | undefined;
  private problem: Problem | undefined;
  /** Events that came while the history was being read. */
  private held: protocol.EventParams[] | undefined;

  private readonly patched = new vscode.EventEmitter<Patch[]>();
  private readonly replaced = new vscode.EventEmitter<void>();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly edited = new vscode.EventEmitter<void>();
  private readonly returned = new vscode.EventEmitter<string>();
  readonly on_patches = this.patched.event;
  /** The whole conversation is another one. */
  readonly on_reset = this.replaced.event;
  readonly on_status = this.changed.event;
  /** The session changed files. */
  readonly on_edited = this.edited.event;
  /** Text that did not reach the model. */
  readonly on_returned = this.returned.event;

  constructor(
    private readonly memory: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
    private readonly server: () => Server,
    private readonly questions: () => Questions,
  ) {}

  connect(client: LanguageClient): void {
    client.onNotification(protocol.event, (event) => this.on_event(event));
  }

  /** The id of a session that this window had before. */
  get remembered(): string | undefined {
    return this.memory.get<string>(SESSION_KEY);
  }

  status(): Status {
    const { session } = this;
    const state = this.beginning ? "starting" : !session ? "none" : session.running ? "running" : "idle";
    return {
      state,
      waiting_for: session?.waiting_for,
      queue: session?.queue ?? [],
      questions: this.questions().list(),
      usage: session?.usage,
      model: session?.model,
      thinking_level: session?.thinking_level,
      permission_mode: session?.permission_mode,
      problem: this.problem,
    };
  }

  /** What commands depend on, as their `enablement` names it. */
  contexts(): Record<string, boolean> {
    return {
      "opal.running": this.session?.running ?? false,
      "opal.session": this.session !== undefined,
      "opal.asking": this.questions().list().length > 0,
    };
  }

  /** The server, started if need be. */
  async connected(): Promise<LanguageClient> {
    return this.server().running();
  }

  /** The session, started if there is none. After a problem it is attached again: the server may be another. */
  async ready(): Promise<Session> {
    if (!this.beginning && this.session && this.is_attached && !this.problem) {
      return this.session;
    }
    const { remembered } = this;
    let beginning = this.beginning ?? this.begin(() => (remembered ? this.go_on(remembered) : this.start()));
    for (;;) {
      const [outcome] = await Promise.allSettled([beginning]);
      if (!this.beginning) {
        return outcome.status === "fulfilled" ? outcome.value : Promise.reject(outcome.reason);
      }
      beginning = this.beginning; // another was begun meanwhile
    }
  }

  /** Sends a request about the session, which is started if there is none. */
  async request<P extends { session_id: string }, R>(
    type: RequestType<P, R, void>,
    params: Omit<P, "session_id">,
  ): Promise<R> {
    const session = await this.ready();
    const client = await this.connected();
    return client.sendRequest(type, { ...params, session_id: session.id } as P);
  }

  async new_session(): Promise<void> {
    await this.begin(() => this.start());
  }

  async resume(session_id: string): Promise<void> {
    await this.begin(() => this.attach(session_id));
  }

  /** Says something: a prompt when idle, else to the running turn, or after it if it is to be queued. */
  async say(text: string, attachments: protocol.Attachment[], queue = false): Promise<void> {
    const session = await this.ready();
    if (!session.running) {
      await this.request(protocol.prompt, { text, attachments });
    } else if (attachments.length > 0) {
      throw new Refused("Only text can be said while a turn runs.", "Remove what is attached, or wait.");
    } else if (queue) {
      await this.request(protocol.followUp, { text });
    } else {
      await this.request(protocol.steer, { text });
    }
  }

  async abort(): Promise<void> {
    const { queued } = await this.request(protocol.abort, {});
    if (queued.length > 0) {
      this.returned.fire(queued.map(({ text }) => text).join("\n\n"));
    }
  }

  async withdraw(message_id: string): Promise<void> {
    const message = this.session?.queue.find((queued) => queued.message_id === message_id);
    const { ok } = await this.request(protocol.cancelQueued, { message_id });
    if (ok && message) {
      this.returned.fire(message.text);
    }
  }

  /** Takes back the latest turn that still has something to take back. */
  async undo_last_turn(): Promise<protocol.SessionUndoResult> {
    const session = await this.ready();
    for (const turn_id of session.edited.toReversed()) {
      try {
        return await this.request(protocol.sessionUndo, { turn_id });
      } catch (error) {
        if (!has_code(error, protocol.ErrorCode.nothing_to_do)) {
          throw error;
        }
      }
    }
    throw new Refused("No turn has changed files that could be taken back.");
  }

  /** The model and the thinking level from the next turn on. */
  async set(what: Omit<protocol.SessionSetParams, "session_id">): Promise<void> {
    await this.request(protocol.sessionSet, what);
    const session = await this.ready();
    session.model = what.model ?? session.model;
    session.thinking_level = what.thinking_level ?? session.thinking_level;
    session.permission_mode = what.permission_mode ?? session.permission_mode;
    this.changed.fire();
  }

  /** Reads the state and the conversation again. */
  async reload(): Promise<void> {
    const { session } = this;
    if (session) {
      const client = await this.connected();
      this.held = [];
      try {
        const state = await client.sendRequest(protocol.state, { session_id: session.id });
        const entries = await history(client, session.id);
        if (this.session === session) {
          await this.take(state, entries);
        }
      } finally {
        this.held = undefined;
      }
    }
  }

  /** The session goes on where it stood, with another server. */
  server_died(too_often: boolean): void {
    this.questions().drop_all();
    this.is_attached = false;
    const { session } = this;
    if (session) {
      this.patched.fire(session.lost());
      const then = too_often ? "The command Opal: Restart Server starts it again." : "It is started again.";
      this.patched.fire(session.note("error", "Opal's server ended unexpectedly.", then));
    }
    if (too_often) {
      this.beginning = undefined; // it has failed
      this.problem = { message: "Opal's server keeps ending.", command: "opal.restart", label: "Restart" };
    } else if (session) {
      this.begin(async () => {
        const again = await this.go_on(session.id);
        const text = "Opal's server ended unexpectedly and was started again.";
        this.patched.fire(again.note("warning", text, "What was running was cut off."));
        return again;
      }).catch(() => undefined); // shown as the problem
    }
    this.changed.fire();
  }

  /** What was in the way may be out of it. */
  forget_problem(): void {
    this.problem = undefined;
    this.changed.fire();
  }

  async restart(): Promise<void> {
    const stopped = this.server().stop();
    this.questions().drop_all();
    const id = this.session?.id ?? this.remembered;
    this.session = undefined;
    this.problem = undefined;
    this.replaced.fire();
    if (id) {
      await this.begin(() => this.go_on(id));
    } else {
      await stopped;
      await this.connected();
    }
  }

  dispose(): void {
    for (const emitter of [this.patched, this.replaced, this.changed, this.edited, this.returned]) {
      emitter.dispose();
    }
  }

  /** One beginning at a time, so that the last is what there is; why that failed is kept for the view. */
  private begin(how: () => Promise<Session>): Promise<Session> {
    const ended = (problem?: Problem) => {
      if (this.beginning === beginning) {
        this.beginning = undefined;
        this.problem = problem;
        this.changed.fire();
      }
    };
    const beginning = (this.beginning?.catch(() => undefined) ?? Promise.resolve()).then(how);
    beginning.then(
      () => ended(),
      (error) => {
        this.log.error(`no session: ${error}`);
        ended(describe(error));
      },
    );
    this.beginning = beginning;
    this.problem = undefined;
    this.changed.fire();
    return beginning;
  }

  private async start(): Promise<Session> {
    const folder = vscode.workspace.workspaceFolders?.[0];
    if (!folder) {
      throw new Refused("Opal works in a folder, and none is open.", "Open one with File: Open Folder.");
    }
    const settings = vscode.workspace.getConfiguration("opal");
    const set = <T extends string>(name: string) =>
      (settings.get<string>(name) || undefined) as T | undefined;
    const client = await this.connected();
    const { state } = await client.sendRequest(protocol.sessionStart, {
      working_dir: folder.uri.fsPath,
      model: set("model"),
      thinking_level: set<protocol.ThinkingLevel>("thinkingLevel"),
      permission_mode: set<protocol.PermissionMode>("permissionMode"),
    });
    return this.take(state, []);
  }

  /** Resumes what this window had; begins anew if that is not there any more. */
  private async go_on(session_id: string): Promise<Session> {
    try {
      return await this.attach(session_id);
    } catch (error) {
      if (!has_code(error, protocol.ErrorCode.unknown_session)) {
        throw error;
      }
      return this.start();
    }
  }

  private async attach(session_id: string): Promise<Session> {
    const client = await this.connected();
    this.held = [];
    for (let left = HELD_TRIES; ; left -= 1) {
      try {
        const { state } = await client.sendRequest(protocol.sessionResume, { session_id });
        return await this.take(state, await history(client, state.session_id));
      } catch (error) {
        if (left === 0 || !has_code(error, protocol.ErrorCode.held_elsewhere)) {
          this.held = undefined;
          throw error;
        }
        await sleep(HELD_RETRY_MS);
      }
    }
  }

  private async take(state: protocol.SessionState, entries: protocol.HistoryEntry[]): Promise<Session> {
    const session = new Session(state.session_id);
    session.load(state);
    session.load_history(entries);
    this.session = session;
    this.is_attached = true;
    const held = this.held ?? [];
    this.held = undefined;
    for (const event of held) {
      session.fold(event);
    }
    await this.memory.update(SESSION_KEY, session.id);
    this.replaced.fire();
    this.changed.fire();
    this.edited.fire();
    return session;
  }

  private on_event(event: protocol.EventParams): void {
    if (this.held) {
      this.held.push(event);
      return;
    }
    const { session } = this;
    if (!session || event.session_id !== session.id) {
      return;
    }
    const { patches, status, missed } = session.fold(event);
    if (patches.length > 0) {
      this.patched.fire(patches);
    }
    if (status) {
      this.changed.fire();
    }
    if (event.type === "document_edited" || event.type === "changes_undone") {
      this.edited.fire();
    }
    if (missed || event.type === "branched") {
      this.reload().catch((error) => this.log.error(`could not catch up: ${error}`));
    }
  }
}

async function history(client: LanguageClient, session_id: string): Promise<protocol.HistoryEntry[]> {
  const entries: protocol.HistoryEntry[] = [];
  let cursor: string | undefined;
  do {
    const params = { session_id, cursor, limit: HISTORY_PAGE };
    const page = await client.sendRequest(protocol.sessionHistory, params);
    entries.push(...page.entries);
    cursor = page.next_cursor ?? undefined;
  } while (cursor);
  return entries;
}

export function has_code(error: unknown, code: number): boolean {
  return error instanceof ResponseError && error.code === code;
}

/** Whether the server went away before it answered. */
export function is_lost(error: unknown): boolean {
  return (
    error instanceof ConnectionError ||
    has_code(error, ErrorCodes.PendingResponseRejected) ||
    has_code(error, ErrorCodes.ConnectionInactive)
  );
}

/** What went wrong, for people. */
export function describe(error: unknown): Problem {
  if (error instanceof NoServer) {
    return {
      message: error.message,
      hint: error.hint,
      command: "opal.openPathSetting",
      label: "Open the Setting",
    };
  }
  if (is_lost(error)) {
    return { message: "Opal's server ended unexpectedly.", hint: "Try again." };
  }
  const hint =
    error instanceof ResponseError
      ? (error.data as protocol.ErrorData | undefined)?.hint
      : error instanceof Refused
        ? error.hint
        : undefined;
  const message = sentence(error instanceof Error ? error.message : String(error));
  if (has_code(error, protocol.ErrorCode.not_signed_in)) {
    return { message, hint: hint ?? undefined, command: "opal.signIn", label: "Sign In" };
  }
  return { message, hint: hint ?? undefined };
}
