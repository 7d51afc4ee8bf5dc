/** The lists to choose from: sessions, places in a session, models, levels, permissions. */
import * as vscode from "vscode";
import type { Agent } from "./agent";
import * as protocol from "./protocol";
import { report } from "./report";
import { count } from "./session";

const SEARCH_AFTER_MS = 150;
const TREE_PAGE = 1000;

const LEVELS: protocol.ThinkingLevel[] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];
const MODES: { label: string; detail: string; mode: protocol.PermissionMode }[] = [
  {
    mode: "ask",
    label: "Ask",
    detail: "Reads inside are free; writes, commands and everything outside ask.",
  },
  { mode: "auto_edit", label: "Edit Freely", detail: "As Ask, and edits inside are free." },
  { mode: "full", label: "Everything", detail: "Never asks." },
  { mode: "read_only", label: "Read Only", detail: "Refuses writes and commands without asking." },
];

/** Chooses a stored session of this folder; what is typed is searched for in all of their text. */
export async function session(agent: Agent): Promise<string | undefined> {
  const client = await agent.connected();
  const working_dir = vscode.workspace.workspaceFolders?.[0]?.uri.toString();
  const list = vscode.window.createQuickPick<vscode.QuickPickItem & { session_id?: string }>();
  list.title = "Resume a Session";
  list.placeholder = "Words to search for in all sessions of this folder";
  list.matchOnDescription = true;
  list.matchOnDetail = true;

  let asked = 0;
  const fill = async (query: string) => {
    asked += 1;
    const number = asked;
    list.busy = true;
    try {
      const params = { working_dir, query: query.trim() || undefined };
      const { sessions } = await client.sendRequest(protocol.sessionList, params);
      if (number === asked) {
        list.items = sessions.map((summary) => to_item(summary, agent.session?.id));
      }
    } catch (error) {
      void report(error);
    } finally {
      list.busy = number !== asked;
    }
  };

  let typing: NodeJS.Timeout | undefined;
  return new Promise((resolve) => {
    list.onDidChangeValue((value) => {
      clearTimeout(typing);
      typing = setTimeout(() => void fill(value), SEARCH_AFTER_MS);
    });
    list.onDidAccept(() => {
      resolve(list.selectedItems[0]?.session_id);
      list.hide();
    });
    list.onDidHide(() => {
      clearTimeout(typing);
      resolve(undefined);
      list.dispose();
    });
    list.show();
    void fill("");
  });
}

function to_item(summary: protocol.SessionSummary, current: string | undefined) {
  const { session_id, name, first_prompt, updated_at_ms, n_entries, model, found } = summary;
  const when = new Date(updated_at_ms).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const icon = session_id === current ? "$(circle-filled) " : "";
  return {
    label: `${icon}${name ?? first_prompt ?? "(nothing said yet)"}`,
    description: `${when} · ${n_entries} entries${model ? ` · ${model}` : ""}`,
    detail: found ? `… ${found}` : undefined,
    // The server has searched; what it found is shown, whatever the list thinks of it.
    alwaysShow: true,
    session_id,
  };
}

export interface Place {
  entry_id: string;
  /** A prompt, to be said again in other words. */
  text?: string;
}

/** Chooses an entry of the session's tree to go on from. */
export async function place(agent: Agent): Promise<Place | undefined> {
  const entries: protocol.TreeEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await agent.request(protocol.sessionTree, { cursor, limit: TREE_PAGE });
    entries.push(...page.entries);
    cursor = page.next_cursor ?? undefined;
  } while (cursor);

  const icons: Record<string, string> = { user: "account", assistant: "comment", steering: "arrow-right" };
  const items = entries
    .filter(({ kind }) => kind in icons)
    .reverse()
    .map(({ entry_id, kind, summary, text, on_branch, created_at_ms }) => ({
      label: `$(${icons[kind]}) ${summary}`,
      description: `${on_branch ? "" : "another branch · "}${new Date(created_at_ms).toLocaleTimeString()}`,
      detail: kind === "user" ? "Say it again in other words" : undefined,
      entry_id,
      text: kind === "user" ? (text ?? undefined) : undefined,
    }));
  return vscode.window.showQuickPick(items, {
    title: "Branch From Here",
    placeHolder: "The conversation goes on after an answer, or before a prompt",
    matchOnDescription: true,
  });
}

/** Whether files become what they were there. */
export async function restore_files(): Promise<boolean | undefined> {
  const items = [
    { label: "Leave files as they are", restore: false },
    { label: "Take back what was changed in files since then", restore: true },
  ];
  return (await vscode.window.showQuickPick(items, { title: "Files" }))?.restore;
}

export async function model(agent: Agent): Promise<string | undefined> {
  const client = await agent.connected();
  const listing = client.sendRequest(protocol.modelsList, {});
  const current = agent.session?.model;
  const items = listing.then(({ models, problems, default_model }) => [
    ...models.map((info) => ({
      label: info.name,
      description: [
        info.model,
        info.model === current ? "in use" : info.model === default_model ? "default" : "",
      ]
        .filter((part) => part !== "")
        .join(" · "),
      detail: describe(info),
      model: info.model as string | undefined,
    })),
    ...problems.map(({ provider, message, hint }) => ({
      label: `$(warning) ${provider}`,
      description: message,
      detail: hint ?? undefined,
      model: undefined,
    })),
  ]);
  const chosen = await vscode.window.showQuickPick(items, { title: "Model", matchOnDescription: true });
  return chosen?.model;
}

function describe(info: protocol.ModelInfo): string {
  const price = info.price && `$${info.price.input} in, $${info.price.output} out per million`;
  return [
    info.context_window && `${count(info.context_window)} tokens`,
    price,
    info.images && "sees images",
    info.tools === false && "calls no tools",
    info.preview && "preview",
  ]
    .filter((part) => typeof part === "string")
    .join(" · ");
}

export async function thinking_level(agent: Agent): Promise<protocol.ThinkingLevel | undefined> {
  const client = await agent.connected();
  const { models } = await client.sendRequest(protocol.modelsList, {});
  const info = models.find((offered) => offered.model === agent.session?.model);
  const levels = info?.thinking_levels ?? LEVELS;
  if (levels.length === 0) {
    void vscode.window.showInformationMessage(`Opal: ${info?.name ?? "This model"} does not think aloud.`);
    return undefined;
  }
  const items = levels.map((level) => ({
    label: level,
    description: level === agent.session?.thinking_level ? "in use" : undefined,
    level,
  }));
  return (await vscode.window.showQuickPick(items, { title: "Thinking Level" }))?.level;
}

export async function permission_mode(agent: Agent): Promise<protocol.PermissionMode | undefined> {
  const items = MODES.map((item) => ({
    ...item,
    description: item.mode === agent.session?.permission_mode ? "in use" : undefined,
  }));
  return (await vscode.window.showQuickPick(items, { title: "How Much Runs Unasked" }))?.mode;
}
