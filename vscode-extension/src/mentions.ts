/** What may go along with a prompt: files of the workspace, the selection, the problems of the active file. */
import * as vscode from "vscode";
import type { Mention, Range } from "./items";
import type { Attachment } from "./protocol";
import { lines_of } from "./session";

const MOST_FILES = 20_000;
const MOST_OFFERED = 30;
const FILES_KEPT_MS = 10_000;

let files: { at: number; paths: string[] } | undefined;

/** What `@query` may mean, best first. */
export async function offer(query: string): Promise<Mention[]> {
  const editor = vscode.window.activeTextEditor;
  const special = editor
    ? [selection_of(editor), diagnostics_of(editor)].filter((mention) => mention !== undefined)
    : [];
  const wanted = query.toLowerCase();
  const named = special.filter(({ kind, label }) => `${kind} ${label}`.toLowerCase().includes(wanted));
  const open = vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .map(({ input }) => (input instanceof vscode.TabInputText ? input.uri : undefined))
    .filter((uri) => uri?.scheme === "file")
    .map((uri) => vscode.workspace.asRelativePath(uri as vscode.Uri));
  const paths = [...new Set([...open, ...(await workspace_files())])];
  return [...named, ...rank(paths, wanted).slice(0, MOST_OFFERED).map(file_mention)];
}

async function workspace_files(): Promise<string[]> {
  if (!files || Date.now() - files.at > FILES_KEPT_MS) {
    const uris = await vscode.workspace.findFiles("**/*", undefined, MOST_FILES);
    files = { at: Date.now(), paths: uris.map((uri) => vscode.workspace.asRelativePath(uri)).sort() };
  }
  return files.paths;
}

/** Names that begin so, then names that hold it, then paths that hold its letters in order. */
export function rank(paths: string[], query: string): string[] {
  const score = (path: string) => {
    const lower = path.toLowerCase();
    const name = lower.slice(lower.lastIndexOf("/") + 1);
    if (name.startsWith(query)) {
      return 0;
    }
    return name.includes(query) ? 1 : lower.includes(query) ? 2 : is_subsequence(query, lower) ? 3 : 4;
  };
  return paths
    .map((path) => ({ path, score: score(path) }))
    .filter((entry) => entry.score < 4)
    .sort((a, b) => a.score - b.score)
    .map(({ path }) => path);
}

function is_subsequence(letters: string, text: string): boolean {
  let idx = 0;
  for (const letter of letters) {
    idx = text.indexOf(letter, idx) + 1;
    if (idx === 0) {
      return false;
    }
  }
  return true;
}

function file_mention(path: string): Mention {
  const folders = vscode.workspace.workspaceFolders ?? [];
  // With several folders the path begins with the folder's name.
  const named = folders.length > 1 ? folders.find(({ name }) => path.startsWith(`${name}/`)) : undefined;
  const base = named ?? folders[0];
  const uri =
    path.startsWith("/") || !base
      ? vscode.Uri.file(path)
      : vscode.Uri.joinPath(base.uri, named ? path.slice(named.name.length + 1) : path);
  return { kind: "file", label: path, uri: uri.toString() };
}

export function selection_of({ document, selection }: vscode.TextEditor): Mention | undefined {
  return selection.isEmpty || document.uri.scheme !== "file"
    ? undefined
    : range_mention(document.uri, selection);
}

export function range_mention(uri: vscode.Uri, range: vscode.Range): Mention {
  const label = `${name_of(uri)}:${lines_of(range)}`;
  return { kind: "selection", label, uri: uri.toString(), range: plain(range) };
}

export function diagnostics_of(editor: vscode.TextEditor): Mention | undefined {
  const { uri } = editor.document;
  const all = vscode.languages.getDiagnostics(uri);
  return all.length === 0 || uri.scheme !== "file" ? undefined : diagnostics_mention(uri, all);
}

export function diagnostics_mention(uri: vscode.Uri, all: readonly vscode.Diagnostic[]): Mention {
  const first = Math.min(...all.map(({ range }) => range.start.line));
  const last = Math.max(...all.map(({ range }) => range.end.line));
  const lines = all.map(({ range, severity, message, source }) => {
    const kind = ["error", "warning", "information", "hint"][severity];
    return `- ${name_of(uri)}:${range.start.line + 1}: ${kind}: ${message}${source ? ` (${source})` : ""}`;
  });
  const label = `${all.length === 1 ? "1 problem" : `${all.length} problems`} in ${name_of(uri)}`;
  const range = plain(new vscode.Range(first, 0, last + 1, 0));
  return { kind: "diagnostics", label, uri: uri.toString(), range, text: lines.join("\n") };
}

/** What the server is sent. The problems are the editor's, so they go along as text. */
export function to_prompt(text: string, mentions: Mention[]): { text: string; attachments: Attachment[] } {
  const attachments = mentions.map((mention): Attachment => {
    switch (mention.kind) {
      case "file":
        return { type: "file", uri: mention.uri };
      case "image":
        return { type: "image", mime_type: mention.mime_type, data: mention.data };
      default:
        return { type: "selection", uri: mention.uri, range: mention.range };
    }
  });
  const problems = mentions.flatMap((mention) => (mention.kind === "diagnostics" ? [mention.text] : []));
  return {
    text: problems.length === 0 ? text : `${text}\n\nProblems that the editor shows:\n${problems.join("\n")}`,
    attachments,
  };
}

function name_of(uri: vscode.Uri): string {
  return vscode.workspace.asRelativePath(uri);
}

function plain(range: vscode.Range): Range {
  const { start, end } = range;
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}
