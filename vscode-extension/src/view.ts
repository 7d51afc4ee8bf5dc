/** The view in the side bar: sends the page what there is to show, and does what the user asks for there. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { type Agent, Refused } from "./agent";
import { after, before } from "./diff";
import type { FromView, Mention, Offer, Patch, ToView } from "./items";
import { offer, to_prompt } from "./mentions";
import { commands } from "./offers";
import type { Pictures } from "./pictures";
import { COMMANDS, type CommandId } from "./protocol";
import type { Questions } from "./questions";
import { report } from "./report";
import type { Review } from "./review";
import { merge } from "./session";

export const VIEW_ID = "opal.conversation";
/** About one animation frame: what came in meanwhile is sent to the page at once. */
const FLUSH_MS = 16;

export class View implements vscode.WebviewViewProvider, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  private is_ready = false;
  private patches: Patch[] = [];
  private status_changed = false;
  private flushing: NodeJS.Timeout | undefined;
  /** What came before the page was ready for it. */
  private waiting: ToView[] = [];
  /** The commands given in the page that still run. */
  private readonly given = new Set<string>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly extension: vscode.Extension<unknown>,
    private readonly agent: Agent,
    private readonly questions: () => Questions,
    private readonly review: Review,
    private readonly pictures: Pictures,
  ) {
    this.subscriptions = [
      agent.on_patches((patches) => {
        this.patches.push(...patches);
        this.flush_soon();
      }),
      agent.on_status(() => this.update_status()),
      agent.on_reset(() => this.reset()),
      agent.on_returned((text) => this.put_back(text)),
      review.on_changes((files) => this.post(files)),
    ];
  }

  get is_seen(): boolean {
    return this.view?.visible ?? false;
  }

  update_status(): void {
    this.status_changed = true;
    this.flush_soon();
  }

  /** Shows the view, with these beside the prompt box. */
  async show(mentions: Mention[] = []): Promise<void> {
    await vscode.commands.executeCommand(`${VIEW_ID}.focus`);
    if (mentions.length > 0) {
      this.post_when_ready({ type: "attach", mentions });
    }
    this.post_when_ready({ type: "focus" });
  }

  /**
   * Waits until a dialog of a command closes. The editor then puts the keyboard into the code; who gave the command
   * in the page goes on typing in its prompt box.
   */
  async in_dialog<T>(command: CommandId, dialog: Thenable<T>): Promise<T> {
    const was_given_here = this.given.has(command);
    try {
      return await dialog;
    } finally {
      if (was_given_here) {
        await this.take_back_focus();
      }
    }
  }

  /** Puts the keyboard into the prompt box, unless the view was left meanwhile. */
  private async take_back_focus(): Promise<void> {
    if (this.is_seen) {
      await this.show();
    }
  }

  /** Says something; what does not reach the model goes into the prompt box. */
  async say(text: string, mentions: Mention[] = [], queue = false): Promise<void> {
    const prompt = to_prompt(text, mentions);
    try {
      await this.agent.say(prompt.text, prompt.attachments, queue);
    } catch (error) {
      this.put_back(text);
      this.post_when_ready({ type: "attach", mentions });
      if (this.agent.status().problem === undefined || !this.is_seen) {
        throw error;
      }
    }
  }

  /** Puts text into the prompt box. */
  put_back(text: string): void {
    this.post_when_ready({ type: "restore", text });
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.is_ready = false;
    const { webview } = view;
    webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(this.extension.extensionUri, "out")],
    };
    webview.onDidReceiveMessage((message: FromView) => {
      this.receive(message).catch((error) => report(error));
    });
    view.onDidChangeVisibility(() => {
      if (!view.visible) {
        this.is_ready = false; // the page is thrown away and begins anew when it is shown again
        this.questions().show_unseen();
      }
    });
    view.onDidDispose(() => {
      this.view = undefined;
      this.is_ready = false;
      this.questions().show_unseen();
    });
    webview.html = this.page(webview);
  }

  dispose(): void {
    clearTimeout(this.flushing);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private post(message: ToView): void {
    if (this.is_ready) {
      void this.view?.webview.postMessage(message);
    }
  }

  private post_when_ready(message: ToView): void {
    if (this.is_ready) {
      this.post(message);
    } else {
      this.waiting.push(message);
    }
  }

  private reset(): void {
    this.patches = [];
    this.status_changed = false;
    this.post({ type: "reset", items: this.agent.session?.items ?? [], status: this.agent.status() });
    this.review.refresh();
  }

  private flush_soon(): void {
    this.flushing ??= setTimeout(() => {
      this.flushing = undefined;
      const { patches } = this;
      const status = this.status_changed ? this.agent.status() : undefined;
      this.patches = [];
      this.status_changed = false;
      if (this.is_ready && (patches.length > 0 || status)) {
        this.post({ type: "patch", patches: merge(patches), status });
      }
    }, FLUSH_MS);
  }

  private async receive(message: FromView): Promise<void> {
    switch (message.type) {
      case "ready":
        this.is_ready = true;
        this.reset();
        for (const waiting of this.waiting.splice(0)) {
          this.post(waiting);
        }
        this.post({ type: "attach", mentions: await this.pictures.kept() });
        if (!this.agent.session && this.agent.remembered) {
          await this.agent.ready().catch(() => undefined); // shown in the view
        }
        return;
      case "send":
        return this.say(message.text, message.mentions, message.how === "queue");
      case "pictures":
        return this.pictures.keep(message.pictures);
      case "abort":
        return this.agent.abort();
      case "image_too_large":
        throw new Refused(
          `An image of more than ${message.most_bytes / 1e6} MB is not attached.`,
          "Make it smaller and paste it again.",
        );
      case "withdraw":
        return this.agent.withdraw(message.message_id);
      case "answer":
        return this.questions().confirm(message.question_id, message.action, message.message);
      case "reply":
        return this.questions().reply(message.question_id, message.text);
      case "type_answer":
        await this.questions().ask_in_dialog(message.question_id);
        return this.take_back_focus();
      case "show_question_diff":
        return this.show_question_diff(message.question_id);
      case "show_call_diff": {
        const change = this.agent.session?.diff_of(message.id);
        return change && this.review.show_diff(change.path, change.diff, before, "left");
      }
      case "open":
        return this.open(message.href);
      case "offers": {
        const { query } = message;
        return this.post({ type: "offers", query, offers: await this.offers(query) });
      }
      case "review":
        return this.review.open();
      case "keep":
        return this.review.keep(message.uri, message.hunk_id);
      case "undo":
        return this.review.undo({ path: message.uri, hunk_id: message.hunk_id });
      case "command":
        if (!message.command.startsWith("opal.")) {
          throw new Refused(`The page asked for a command that is not Opal's: ${message.command}`);
        }
        this.given.add(message.command);
        try {
          await vscode.commands.executeCommand(message.command);
        } finally {
          this.given.delete(message.command);
        }
    }
  }

  /** What would become of the file, beside what it is. */
  async show_question_diff(question_id: string): Promise<void> {
    const asked = this.questions().find(question_id);
    if (asked?.kind === "confirm" && asked.details.diff) {
      await this.review.show_diff(asked.details.path ?? "", asked.details.diff, after, "right");
    }
  }

  private async offers(query: string): Promise<Offer[]> {
    if (query.startsWith("@")) {
      return offer(query.slice(1));
    }
    const contributed: { command: string; enablement?: string }[] =
      this.extension.packageJSON.contributes.commands;
    const all = COMMANDS.map((command) => ({
      ...command,
      enablement: contributed.find(({ command: id }) => id === command.id)?.enablement,
    }));
    const contexts: Record<string, boolean> = {
      ...this.agent.contexts(),
      editorHasSelection: vscode.window.activeTextEditor?.selection.isEmpty === false,
    };
    return commands(query.slice(1), all, (context) => contexts[context] ?? false);
  }

  /** A link in what the model wrote: a page, or a file of the workspace, of whatever kind, with a line. */
  private async open(href: string): Promise<void> {
    if (/^https?:/i.test(href)) {
      await vscode.env.openExternal(vscode.Uri.parse(href));
      return;
    }
    const [, path = "", line] = /^(?:file:\/\/)?(.*?)(?:(?::|#L)(\d+))?$/.exec(decoded(href)) ?? [];
    const row = Math.max(0, Number(line ?? 1) - 1);
    const options = line === undefined ? {} : { selection: new vscode.Range(row, 0, row, 0) };
    await vscode.commands.executeCommand("vscode.open", this.review.file_uri(path), options);
  }

  private page(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("base64url");
    const file = (name: string) =>
      webview.asWebviewUri(vscode.Uri.joinPath(this.extension.extensionUri, "out", name));
    const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource}; img-src data: blob:`;
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${file("style.css")}">
<title>Opal</title>
</head>
<body>
<script nonce="${nonce}" src="${file("view.js")}"></script>
</body>
</html>`;
  }
}

/** A name may have a `%` in it that stands for nothing. */
function decoded(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}
