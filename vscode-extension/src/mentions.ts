/** What may go along with a prompt: files of the workspace, the selection, the problems of the active file. */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import type { Mention, Range } from "./items";
import { rank } from "./offers";
import type { Attachment } from "./protocol";
import { lines_of } from "./session";
import { type Found, symbols_of, workspace_symbols } from "./symbols";

const MOST_FILES = 20_000;
const MOST_OFFERED = 30;
const FILES_KEPT_MS = 10_000;
const LISTING_TRIES = 5;
const LISTING_RETRY_MS = 300;
const LISTING_WITHIN_MS = 5000;
const SYMBOLS_WITHIN_MS = 400;
const LEAST_QUERY = 2;
const MOST_PROBLEMS = 100;

let files: { at: number; paths: string[] } | undefined;
let listing: Promise<string[]> | undefined;

/** What `@query` may mean, best first. */
export async function offer(query: string): Promise<Mention[]> {
  const editor = vscode.window.activeTextEditor;
  const wanted = query.toLowerCase();
  const special = [editor && selection_of(editor), editor && diagnostics_of(editor), all_diagnostics()]
    .filter((mention) => mention !== undefined)
    .filter(({ kind, label }) => `${kind} ${label}`.toLowerCase().includes(wanted));
  const open = vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .map(({ input }) => (input instanceof vscode.TabInputText ? input.uri : undefined))
    .filter((uri) => uri?.scheme === "file")
    .map((uri) => vscode.workspace.asRelativePath(uri as vscode.Uri));
  const [files, symbols] = await Promise.all([workspace_files(), symbols_for(query, editor)]);
  const paths = [...new Set([...open, ...files])].map(file_mention);
  const ranked = rank([...paths, ...symbols], wanted, (mention) =>
    mention.kind === "symbol" ? mention.name : mention.label,
  );
  return [...special, ...ranked.slice(0, MOST_OFFERED)];
}

/** The symbols of the active file, and of the workspace once there is something to look for. */
async function symbols_for(query: string, editor: vscode.TextEditor | undefined): Promise<Mention[]> {
  const asked = [
    editor?.document.uri.scheme === "file" ? symbols_of(editor.document.uri) : [],
    query.length >= LEAST_QUERY ? workspace_symbols(query) : [],
  ];
  // A language server may take long to start; what it knows is offered when the next letter is typed.
  const found = asked.map((some) =>
    Promise.race([Promise.resolve(some).catch(() => []), sleep(SYMBOLS_WITHIN_MS, [])]),
  );
  const mentions = (await Promise.all(found)).flat().map(symbol_mention);
  return [...new Map(mentions.map((mention) => [mention.label, mention])).values()];
}

/** The files of the workspace; whoever asks while they are listed waits for the same list. */
async function workspace_files(): Promise<string[]> {
  if (files && Date.now() - files.at < FILES_KEPT_MS) {
    return files.paths;
  }
  listing ??= list_files().finally(() => {
    listing = undefined;
  });
  return listing;
}

/** A window that has just been opened may know of no file yet, or leave the question unanswered. */
async function list_files(): Promise<string[]> {
  for (let left = LISTING_TRIES; left > 0; left -= 1) {
    const late = new vscode.CancellationTokenSource();
    const timer = setTimeout(() => late.cancel(), LISTING_WITHIN_MS);
    const uris = await Promise.race([
      Promise.resolve(vscode.workspace.findFiles("**/*", left_out(), MOST_FILES, late.token)).catch(() => []),
      new Promise<vscode.Uri[]>((resolve) => late.token.onCancellationRequested(() => resolve([]))),
    ]);
    clearTimeout(timer);
    late.dispose();
    if (uris.length > 0) {
      files = { at: Date.now(), paths: uris.map((uri) => vscode.workspace.asRelativePath(uri)).sort() };
      return files.paths;
    }
    await sleep(LISTING_RETRY_MS);
  }
  return [];
}

/** What searches leave out, such as the packages of others; what is not listed at all the editor leaves out itself. */
function left_out(): string | undefined {
  const patterns = vscode.workspace.getConfiguration("search").get<Record<string, unknown>>("exclude", {});
  const globs = Object.keys(patterns).filter((glob) => patterns[glob] === true);
  return globs.length > 0 ? `{${globs.join(",")}}` : undefined;
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
  const all = vscode.languages.getDiagnostics(uri).filter(is_problem);
  return all.length === 0 || uri.scheme !== "file" ? undefined : diagnostics_mention(uri, all);
}

export function diagnostics_mention(uri: vscode.Uri, all: readonly vscode.Diagnostic[]): Mention {
  const first = Math.min(...all.map(({ range }) => range.start.line));
  const last = Math.max(...all.map(({ range }) => range.end.line));
  return {
    kind: "diagnostics",
    label: `${problems(all.length)} in ${name_of(uri)}`,
    text: all.map((diagnostic) => describe(uri, diagnostic)).join("\n"),
    place: { uri: uri.toString(), range: plain(new vscode.Range(first, 0, last + 1, 0)) },
  };
}

/** Those of all files, where several have some. */
function all_diagnostics(): Mention | undefined {
  const files = vscode.languages
    .getDiagnostics()
    .map(([uri, all]) => ({ uri, all: all.filter(is_problem) }))
    .filter(({ uri, all }) => uri.scheme === "file" && all.length > 0);
  const lines = files.flatMap(({ uri, all }) => all.map((diagnostic) => describe(uri, diagnostic)));
  const rest = lines.length - MOST_PROBLEMS;
  return files.length < 2
    ? undefined
    : {
        kind: "diagnostics",
        label: `${problems(lines.length)} in ${files.length} files`,
        text: [...lines.slice(0, MOST_PROBLEMS), ...(rest > 0 ? [`- and ${rest} more`] : [])].join("\n"),
      };
}

/** Hints are mostly about what is written in grey. */
function is_problem({ severity }: vscode.Diagnostic): boolean {
  return severity < vscode.DiagnosticSeverity.Hint;
}

function problems(n: number): string {
  return n === 1 ? "1 problem" : `${n} problems`;
}

function describe(uri: vscode.Uri, { range, severity, message, source }: vscode.Diagnostic): string {
  const kind = ["error", "warning", "information", "hint"][severity];
  return `- ${name_of(uri)}:${range.start.line + 1}: ${kind}: ${message}${source ? ` (${source})` : ""}`;
}

function symbol_mention({ name, container, uri, range }: Found): Extract<Mention, { kind: "symbol" }> {
  const whole = container ? `${container}.${name}` : name;
  const label = `${whole} (${name_of(uri)}:${range.start.line + 1})`;
  return { kind: "symbol", label, name, uri: uri.toString(), range: plain(range) };
}

/** What the server is sent. The problems are the editor's, so they go along as text. */
export function to_prompt(text: string, mentions: Mention[]): { text: string; attachments: Attachment[] } {
  const attachments = mentions.flatMap((mention): Attachment[] => {
    switch (mention.kind) {
      case "file":
        return [{ type: "file", uri: mention.uri }];
      case "image":
        return [{ type: "image", mime_type: mention.mime_type, data: mention.data }];
      case "diagnostics":
        return mention.place ? [{ type: "selection", ...mention.place }] : [];
      default:
        return [{ type: "selection", uri: mention.uri, range: mention.range }];
    }
  });
  const told = mentions.flatMap((mention) => (mention.kind === "diagnostics" ? [mention.text] : []));
  return {
    text: told.length === 0 ? text : `${text}\n\nProblems that the editor shows:\n${told.join("\n")}`,
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
