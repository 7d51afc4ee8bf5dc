/**
 * What the server asks and the user has not answered yet. A question is shown in the view and, where that
 * cannot be seen, as a notification; whichever answers first wins, and the other closes.
 */
import * as vscode from "vscode";
import {
  type CancellationToken,
  type LanguageClient,
  LSPErrorCodes,
  ResponseError,
} from "vscode-languageclient/node";
import type { Asked } from "./items";
import * as protocol from "./protocol";
import { without_links } from "./words";

type Answer = protocol.ConfirmResult | protocol.InputResult | null;

interface Open {
  asked: Asked;
  answer(result: Answer | ResponseError): void;
  is_notified: boolean;
  /** Closes what shows it. */
  readonly closers: vscode.Disposable[];
}

const LABELS: Record<protocol.ConfirmAction, string> = {
  allow: "Allow",
  deny: "Deny",
  allow_session: "Allow for This Session",
};

/** How an answer on offer is called. Later versions may offer more. */
export function label(action: protocol.ConfirmAction): string {
  return LABELS[action] ?? action;
}

export class Questions implements vscode.Disposable {
  private readonly open = new Map<string, Open>();

  constructor(
    private readonly changed: () => void,
    private readonly view_is_seen: () => boolean,
  ) {}

  connect(client: LanguageClient): void {
    client.onRequest(protocol.confirm, (params, token) => {
      const { question_id, title, message, actions, details } = params;
      return this.ask({ kind: "confirm", question_id, title, message, actions, details }, token);
    });
    client.onRequest(protocol.input, (params, token) => {
      const { question_id, prompt, choices = [], sensitive = false } = params;
      return this.ask({ kind: "input", question_id, prompt, choices, sensitive }, token);
    });
    client.onNotification(protocol.resolved, ({ question_id }) => this.withdraw(question_id));
  }

  /** Oldest first. */
  list(): Asked[] {
    return [...this.open.values()].map(({ asked }) => asked);
  }

  find(question_id: string): Asked | undefined {
    return this.open.get(question_id)?.asked;
  }

  confirm(question_id: string, action: protocol.ConfirmAction, message?: string): void {
    this.close(question_id, message ? { action, message } : { action });
  }

  reply(question_id: string, text: string | null): void {
    this.close(question_id, text === null ? null : { text });
  }

  /** Asks with the editor's own dialogs: a list of the answers, an input box for words. */
  async ask_in_dialog(question_id: string): Promise<void> {
    const question = this.open.get(question_id);
    const asked = question?.asked;
    if (!question || !asked) {
      return;
    }
    const closed = new vscode.CancellationTokenSource();
    question.closers.push({ dispose: () => closed.cancel() });
    if (asked.kind === "input") {
      const text = await ask_text(asked, closed.token);
      if (text !== undefined) {
        this.reply(question_id, text);
      }
      return;
    }
    if (!is_shown_by_title(asked)) {
      await vscode.commands.executeCommand("opal.focus");
      return;
    }
    const choices = asked.actions.map((action) => ({
      label: label(action),
      detail: action === "allow_session" ? asked.details.grant : undefined,
      action,
    }));
    const chosen = await vscode.window.showQuickPick(
      choices,
      { title: asked.title, placeHolder: asked.details.command ?? asked.message, ignoreFocusOut: true },
      closed.token,
    );
    if (chosen?.action === "deny") {
      await this.deny_with_a_word(question_id);
    } else if (chosen) {
      this.confirm(question_id, chosen.action);
    }
  }

  async deny_with_a_word(question_id: string): Promise<void> {
    const question = this.open.get(question_id);
    const closed = new vscode.CancellationTokenSource();
    question?.closers.push({ dispose: () => closed.cancel() });
    const word = await vscode.window.showInputBox(
      { prompt: "A word to the model, if you like. Escape goes back to the question.", ignoreFocusOut: true },
      closed.token,
    );
    if (word !== undefined) {
      this.confirm(question_id, "deny", word);
    }
  }

  /** The view cannot be seen any more: what waits is shown as notifications. */
  show_unseen(): void {
    for (const question of this.open.values()) {
      if (!question.is_notified) {
        this.notify(question);
      }
    }
  }

  /** The server that asked is gone. */
  drop_all(): void {
    for (const question_id of [...this.open.keys()]) {
      this.withdraw(question_id);
    }
  }

  dispose(): void {
    this.drop_all();
  }

  private ask(asked: Asked, token: CancellationToken): Promise<never> {
    const answered = new Promise<Answer>((resolve, reject) => {
      const question: Open = {
        asked,
        answer: (result) => (result instanceof ResponseError ? reject(result) : resolve(result)),
        is_notified: false,
        closers: [],
      };
      this.open.set(asked.question_id, question);
      token.onCancellationRequested(() => this.withdraw(asked.question_id));
      this.changed();
      if (!this.view_is_seen()) {
        this.notify(question);
      }
    });
    return answered as Promise<never>;
  }

  private withdraw(question_id: string): void {
    this.close(question_id, new ResponseError(LSPErrorCodes.RequestCancelled, "not needed any more"));
  }

  private close(question_id: string, result: Answer | ResponseError): void {
    const question = this.open.get(question_id);
    if (!question) {
      return; // answered elsewhere meanwhile
    }
    this.open.delete(question_id);
    question.answer(result);
    for (const closer of question.closers) {
      closer.dispose();
    }
    this.changed();
  }

  /**
   * A notification of progress, because the editor can close no other kind when the question is answered
   * elsewhere. Its answers are links, as it has no buttons.
   */
  private notify(question: Open): void {
    const { asked } = question;
    question.is_notified = true;
    const link = (text: string, command: string, ...args: unknown[]) =>
      `[${text}](command:${command}?${encodeURIComponent(JSON.stringify([asked.question_id, ...args]))})`;
    const links =
      asked.kind === "input"
        ? [link("Answer…", "opal.answer")]
        : asked.actions
            .filter((action) => action === "deny" || is_shown_by_title(asked))
            .map((action) =>
              action === "deny" ? link("Deny…", "opal.deny") : link(label(action), "opal.allow", action),
            );
    if (asked.kind === "confirm" && !is_shown_by_title(asked)) {
      links.push("[Show All](command:opal.focus)");
    }
    if (asked.kind === "confirm" && asked.details.diff) {
      links.push(link("Show Diff", "opal.showQuestionDiff"));
    }
    const what =
      asked.kind === "input"
        ? asked.prompt
        : `${asked.title}${asked.details.command ? "" : ` (${asked.message})`}`;
    void vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: "Opal asks", cancellable: true },
      (progress, token) =>
        new Promise<void>((resolve) => {
          progress.report({ message: `${without_links(what)} — ${links.join(" · ")}` });
          question.closers.push({ dispose: resolve });
          token.onCancellationRequested(() =>
            asked.kind === "input"
              ? this.reply(asked.question_id, null)
              : this.confirm(asked.question_id, "deny"),
          );
        }),
    );
  }
}

/** Whether the title shows all of the command. One that is cut is allowed where all of it can be read: in the view. */
function is_shown_by_title({ title, details }: Extract<Asked, { kind: "confirm" }>): boolean {
  return !details.command || title.endsWith(details.command.trim());
}

async function ask_text(
  asked: Extract<Asked, { kind: "input" }>,
  token: vscode.CancellationToken,
): Promise<string | undefined> {
  if (asked.choices.length > 0) {
    const other = "Something else…";
    const chosen = await vscode.window.showQuickPick(
      [...asked.choices, other],
      { title: asked.prompt, ignoreFocusOut: true },
      token,
    );
    if (chosen !== other) {
      return chosen;
    }
  }
  return vscode.window.showInputBox(
    { prompt: asked.prompt, password: asked.sensitive, ignoreFocusOut: true },
    token,
  );
}
