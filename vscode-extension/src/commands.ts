/** What each command does. */
import * as vscode from "vscode";
import type { Agent } from "./agent";
import type { Mention } from "./items";
import { selection_of } from "./mentions";
import * as pick from "./pick";
import * as protocol from "./protocol";
import type { Questions } from "./questions";
import { report } from "./report";
import type { Review } from "./review";
import { sign_in } from "./sign_in";
import { facts } from "./status_bar";
import type { View } from "./view";

export interface Parts {
  agent: Agent;
  view: View;
  review: Review;
  questions: Questions;
  log: vscode.LogOutputChannel;
}

type Run = (...args: never[]) => unknown;

/** Those of the palette, and some that only the extension itself calls. */
type Commands = Record<string, Run> & {
  [Id in protocol.CommandId as Id extends `opal.${infer Name}` ? Name : never]: Run;
};

export function register({ agent, view, review, questions, log }: Parts): vscode.Disposable {
  const ask = (command: protocol.CommandId, prompt: string) =>
    view.in_dialog(command, vscode.window.showInputBox({ title: "Opal", prompt }));
  const oldest = () => questions.list()[0]?.question_id;

  const commands = {
    async prompt() {
      const text = await ask("opal.prompt", "What is to be done?");
      if (text) {
        await view.show();
        await view.say(text);
      }
    },
    async promptAboutSelection() {
      const editor = vscode.window.activeTextEditor;
      const mention = editor && selection_of(editor);
      await view.show(mention ? [mention] : []);
    },
    async say(text: string, mentions: Mention[]) {
      await view.show();
      await view.say(text, mentions);
    },
    async steer() {
      const text = await ask("opal.steer", "Said to the running turn at its next safe point");
      if (text) {
        await view.say(text);
      }
    },
    async followUp() {
      const text = await ask("opal.followUp", "What is to be done when the running turn has ended?");
      if (text) {
        await view.say(text, [], true);
      }
    },
    abort: () => agent.abort(),
    async newSession() {
      await agent.new_session();
      await view.show();
    },
    async resumeSession() {
      const session_id = await view.in_dialog("opal.resumeSession", pick.session(agent));
      if (session_id) {
        await agent.resume(session_id);
        await view.show();
      }
    },
    async branch() {
      const place = await view.in_dialog("opal.branch", pick.place(agent));
      const restore_files = place && (await view.in_dialog("opal.branch", pick.restore_files()));
      if (place && restore_files !== undefined) {
        const { entry_id, text } = place;
        const before = text !== undefined;
        const result = await agent.request(protocol.sessionBranch, { entry_id, before, restore_files });
        if (restore_files) {
          await review.show_undone(result.restored);
        }
        if (text !== undefined) {
          await view.show();
          view.put_back(text);
        }
      }
    },
    compact: () => agent.request(protocol.sessionCompact, {}),
    async undo() {
      await review.show_undone(await agent.undo_last_turn());
    },
    redo: () => review.redo(),
    review: () => review.open(),
    async selectModel() {
      const model = await view.in_dialog("opal.selectModel", pick.model(agent));
      if (model) {
        await agent.set({ model });
      }
    },
    async selectThinking() {
      await agent.ready();
      const thinking_level = await view.in_dialog("opal.selectThinking", pick.thinking_level(agent));
      if (thinking_level) {
        await agent.set({ thinking_level });
      }
    },
    async selectPermissions() {
      const permission_mode = await view.in_dialog("opal.selectPermissions", pick.permission_mode(agent));
      if (permission_mode) {
        await agent.set({ permission_mode });
      }
    },
    async signIn() {
      const status = await sign_in(await agent.connected(), (dialog) =>
        view.in_dialog("opal.signIn", dialog),
      );
      if (status) {
        const who = status.account ? ` as ${status.account}` : "";
        void vscode.window.showInformationMessage(`Opal: signed in to GitHub Copilot${who}.`);
        agent.forget_problem();
      }
    },
    async signOut() {
      await (await agent.connected()).sendRequest(protocol.authLogout, {});
      void vscode.window.showInformationMessage("Opal: signed out.");
    },
    showState: () =>
      view.in_dialog(
        "opal.showState",
        vscode.window.showInformationMessage("Opal", { modal: true, detail: facts(agent.status()) }),
      ),
    showLog: () => log.show(),
    restart: () => agent.restart(),
    focus: () => view.show(),
    openPathSetting: () => vscode.commands.executeCommand("workbench.action.openSettings", "opal.path"),
    answer: (question_id?: string) =>
      view.in_dialog("opal.answer", questions.ask_in_dialog(question_id ?? oldest() ?? "")),
    allow: (question_id: string, action: protocol.ConfirmAction) => questions.confirm(question_id, action),
    deny: (question_id: string) => questions.deny_with_a_word(question_id),
    showQuestionDiff: (question_id: string) => view.show_question_diff(question_id),
    async undoHunk() {
      const editor = vscode.window.activeTextEditor;
      if (editor) {
        await review.undo_hunk_at(editor);
      }
    },
    async undoFile(resource?: vscode.Uri) {
      const uri = resource ?? vscode.window.activeTextEditor?.document.uri;
      if (uri) {
        await review.undo({ path: uri.toString() });
      }
    },
    keepHunk: (uri: string, hunk_id: string) => review.keep(uri, hunk_id),
    undoHunkById: (path: string, hunk_id: string) => review.undo({ path, hunk_id }),
  } satisfies Commands;

  return vscode.Disposable.from(
    ...Object.entries<Run>(commands).map(([name, run]) =>
      vscode.commands.registerCommand(`opal.${name}`, async (...args: never[]) => {
        try {
          return await run(...args);
        } catch (error) {
          log.error(`${name}: ${error}`);
          void report(error);
        }
      }),
    ),
  );
}
