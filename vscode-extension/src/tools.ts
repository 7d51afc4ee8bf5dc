/**
 * What the editor's language servers know, for the model: the editor is asked, whichever of them answers.
 * Positions need no conversion, for the editor and this connection both count in UTF-16.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import * as protocol from "./protocol";
import { symbols_of, workspace_symbols } from "./symbols";

export const TOOLS: protocol.ClientTool[] = ["diagnostics", "references", "definition", "symbols", "rename"];

/** What is known of a text has settled when nothing new was said of it for so long. */
const QUIET_MS = 1000;
/** Where nothing is said after a change at all: there is nothing new to say, or nobody to say it. */
const SILENT_MS = 3000;
/** The first time in a language: its server may have to start. */
const STARTING_MS = 8000;
const MOST_MS = 10_000;
const POLL_MS = 50;
/** Changes that a question about what was edited just now may be about. */
const JUST_NOW_MS = 60_000;
const MOST_TABS = 20;

export class Tools implements vscode.Disposable {
  /** When each open text last became another, and when something was last said of it. */
  private readonly changed = new Map<string, number>();
  private readonly told = new Map<string, number>();
  /** Languages that were asked about before: who knows them runs. */
  private readonly languages = new Set<string>();
  private readonly subscriptions = [
    vscode.workspace.onDidOpenTextDocument((document) => this.change(document)),
    vscode.workspace.onDidChangeTextDocument(({ document }) => this.change(document)),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      this.changed.delete(String(uri));
      this.told.delete(String(uri));
    }),
    vscode.languages.onDidChangeDiagnostics(({ uris }) => {
      for (const uri of uris) {
        this.told.set(String(uri), Date.now());
      }
    }),
  ];

  connect(client: LanguageClient): void {
    client.onRequest(protocol.toolCall, async (params, token) => {
      try {
        return { ok: true, output: await this.run(params, token) };
      } catch (error) {
        return { ok: false, error: error instanceof Error ? error.message : String(error) };
      }
    });
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private change({ uri }: vscode.TextDocument): void {
    if (uri.scheme === "file") {
      this.changed.set(String(uri), Date.now());
    }
  }

  private async run(
    call: protocol.ClientToolCall,
    token: vscode.CancellationToken,
  ): Promise<protocol.ClientToolOutput> {
    const { tool } = call;
    switch (tool) {
      case "diagnostics":
        return { tool, files: await this.diagnostics(call.arguments, token) };
      case "references":
      case "definition": {
        const provider =
          tool === "references" ? "vscode.executeReferenceProvider" : "vscode.executeDefinitionProvider";
        const found = await this.ask_at<(vscode.Location | vscode.LocationLink)[]>(
          provider,
          call.arguments,
          token,
        );
        return { tool, locations: (found ?? []).map(location) };
      }
      case "symbols":
        return { tool, symbols: await this.symbols(call.arguments, token) };
      case "rename": {
        const { new_name } = call.arguments;
        const provider = "vscode.executeDocumentRenameProvider";
        const edit = await this.ask_at<vscode.WorkspaceEdit>(provider, call.arguments, token, new_name);
        return { tool, edit: workspace_edit(edit) };
      }
      default:
        throw new Error(`this editor has no tool named ${(call as { tool: string }).tool}`);
    }
  }

  private async ask_at<T>(
    provider: string,
    { uri, position }: protocol.PlaceArguments,
    token: vscode.CancellationToken,
    ...more: unknown[]
  ): Promise<T | undefined> {
    const where = new vscode.Position(position.line, position.character);
    const known = await this.awake(vscode.Uri.parse(uri), token);
    return vscode.commands.executeCommand<T | undefined>(provider, known, where, ...more);
  }

  private async symbols(
    { uri, query }: protocol.SymbolsArguments,
    token: vscode.CancellationToken,
  ): Promise<protocol.SymbolInformation[]> {
    const found = uri
      ? await symbols_of(await this.awake(vscode.Uri.parse(uri), token))
      : await workspace_symbols(query ?? "");
    return found.map((symbol) => ({
      name: symbol.name,
      kind: symbol.kind + 1, // The editor counts the kinds from 0, LSP from 1.
      location: { uri: String(symbol.uri), range: range(symbol.name_range) },
      containerName: symbol.container,
    }));
  }

  private async diagnostics(
    { uris, settle }: protocol.DiagnosticsArguments,
    token: vscode.CancellationToken,
  ): Promise<protocol.FileDiagnostics[]> {
    const now = Date.now();
    const edited = [...this.changed].filter(([, at]) => now - at < JUST_NOW_MS).map(([uri]) => uri);
    const asked = (uris ?? (settle ? edited : [])).map((uri) => vscode.Uri.parse(uri));
    return this.in_tabs(asked, async (fresh) => {
      await this.settled(settle ? asked : fresh, token);
      const known = vscode.languages.getDiagnostics().filter(([, all]) => all.length > 0);
      return (uris ? asked : known.map(([uri]) => uri)).map((uri) => ({
        uri: String(uri),
        diagnostics: vscode.languages.getDiagnostics(uri).map(diagnostic),
      }));
    });
  }

  /** Lets the language server of this file start and read the project, if it was not asked before. */
  private async awake(uri: vscode.Uri, token: vscode.CancellationToken): Promise<vscode.Uri> {
    const document = await vscode.workspace.openTextDocument(uri);
    if (!this.languages.has(document.languageId)) {
      await this.in_tabs([uri], () => this.settled([uri], token));
    }
    return document.uri;
  }

  /** Runs while these files have a tab each: of what has none, some language servers say nothing. */
  private async in_tabs<T>(uris: vscode.Uri[], run: (fresh: vscode.Uri[]) => Promise<T>): Promise<T> {
    const is_known = (uri: string) => (this.told.get(uri) ?? 0) > (this.changed.get(uri) ?? 0);
    const fresh = uris.filter((uri) => !tab_of(uri) && !is_known(String(uri))).slice(0, MOST_TABS);
    for (const uri of fresh) {
      const options = { background: true, preserveFocus: true, preview: false };
      await vscode.commands.executeCommand("vscode.open", uri, options);
    }
    try {
      return await run(fresh);
    } finally {
      const tabs = fresh.map(tab_of).filter((tab) => tab !== undefined && !tab.isDirty) as vscode.Tab[];
      await vscode.window.tabGroups.close(tabs, true);
    }
  }

  /** Waits until what is known of these files is about their texts of now. */
  private async settled(uris: vscode.Uri[], token: vscode.CancellationToken): Promise<void> {
    const documents = await Promise.all(uris.map((uri) => vscode.workspace.openTextDocument(uri)));
    const begun = Date.now();
    const has_settled = ({ uri, languageId }: vscode.TextDocument) => {
      const is_known = this.languages.has(languageId);
      const changed = is_known ? (this.changed.get(String(uri)) ?? 0) : begun;
      const told = this.told.get(String(uri)) ?? 0;
      const until = told > changed ? told + QUIET_MS : changed + (is_known ? SILENT_MS : STARTING_MS);
      return Date.now() >= until;
    };
    const end = begun + MOST_MS;
    while (!token.isCancellationRequested && Date.now() < end && !documents.every(has_settled)) {
      await sleep(POLL_MS);
    }
    for (const { languageId } of documents) {
      this.languages.add(languageId);
    }
  }
}

function tab_of(uri: vscode.Uri): vscode.Tab | undefined {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .find(({ input }) => input instanceof vscode.TabInputText && String(input.uri) === String(uri));
}

function location(found: vscode.Location | vscode.LocationLink): protocol.Location {
  return "targetUri" in found
    ? { uri: String(found.targetUri), range: range(found.targetSelectionRange ?? found.targetRange) }
    : { uri: String(found.uri), range: range(found.range) };
}

function diagnostic({
  range: where,
  message,
  severity,
  source,
  code,
}: vscode.Diagnostic): protocol.Diagnostic {
  return {
    range: range(where),
    message,
    severity: severity + 1,
    source,
    code: typeof code === "object" ? code.value : code,
  };
}

function workspace_edit(edit: vscode.WorkspaceEdit | undefined): { changes: Record<string, unknown> } {
  const texts = edit?.entries() ?? [];
  if (!edit || texts.length === 0) {
    throw new Error("No language server can rename what stands there.");
  }
  if (edit.size !== texts.length) {
    throw new Error("This rename would move files as well, which only the user can do.");
  }
  return {
    changes: Object.fromEntries(
      texts.map(([uri, edits]) => [
        String(uri),
        edits.map(({ range: where, newText }) => ({ range: range(where), newText })),
      ]),
    ),
  };
}

function range({ start, end }: vscode.Range): protocol.Range {
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}
