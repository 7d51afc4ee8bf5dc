/** Wires the parts. Nothing here is slow: the server is started when it is first needed. */
import * as vscode from "vscode";
import { Agent } from "./agent";
import { CodeActions } from "./code_actions";
import { register } from "./commands";
import { save_documents } from "./documents";
import { Pictures } from "./pictures";
import { Questions } from "./questions";
import { Review } from "./review";
import { Server } from "./server";
import { StatusBar } from "./status_bar";
import { Tools } from "./tools";
import { VIEW_ID, View } from "./view";

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Opal", { log: true });
  const memory = context.workspaceState;
  const agent: Agent = new Agent(
    memory,
    log,
    () => running,
    () => questions,
  );
  const review = new Review(agent, memory);
  const pictures = new Pictures(context.storageUri ?? context.globalStorageUri);
  const view: View = new View(context.extension, agent, () => questions, review, pictures);
  const questions: Questions = new Questions(
    () => status_changed(),
    () => view.is_seen,
  );
  const tools = new Tools();
  const running = new Server(context, log, {
    connect(client) {
      agent.connect(client);
      questions.connect(client);
      tools.connect(client);
      save_documents(client, log);
    },
    died: (too_often) => agent.server_died(too_often),
  });
  server = running;

  const bar = new StatusBar();
  const contexts = new Map<string, boolean>();
  const set_context = (name: string, value: boolean) => {
    if (contexts.get(name) !== value) {
      contexts.set(name, value);
      void vscode.commands.executeCommand("setContext", name, value);
    }
  };
  const status_changed = () => {
    const status = agent.status();
    bar.show(status);
    view.update_status();
    for (const [name, value] of Object.entries(agent.contexts())) {
      set_context(name, value);
    }
  };

  context.subscriptions.push(
    log,
    agent,
    review,
    view,
    questions,
    bar,
    tools,
    agent.on_status(status_changed),
    // This is also heard when a folder is trusted, and only then do its settings count.
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("opal")) {
        agent.forget_problem();
      }
    }),
    register({ agent, view, review, questions, log }),
    vscode.window.registerWebviewViewProvider(VIEW_ID, view),
    vscode.languages.registerCodeActionsProvider({ scheme: "file" }, new CodeActions(), {
      providedCodeActionKinds: CodeActions.kinds,
    }),
  );
  status_changed();
}

/** Waits until the server has gone, so that another window can go on with the session. */
export async function deactivate(): Promise<void> {
  await server?.stop();
}
