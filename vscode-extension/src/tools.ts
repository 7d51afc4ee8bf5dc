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
const MOST_MS = 10_000;
const POLL_MS = 50;

export class Tools implements vscode.Disposable {
  /** When each open text last became another, and when something was last said of it. */
  private readonly changed = new Map<string, number>();
  private readonly told = new Map<string, number>();
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

  constructor() {
    for (const { uri } of vscode.workspace.textDocuments) {
      this.changed.set(String(uri), 0);
    }
  }

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
        const found = await ask<(vscode.Location | vscode.LocationLink)[]>(
          provider,
          ...(await place(call.arguments)),
        );
        return { tool, locations: (found ?? []).map(location) };
      }
      case "symbols":
        return { tool, symbols: await symbols(call.arguments) };
      case "rename": {
        const { new_name } = call.arguments;
        const edit = await ask<vscode.WorkspaceEdit>(
          "vscode.executeDocumentRenameProvider",
          ...(await place(call.arguments)),
          new_name,
        );
        return { tool, edit: workspace_edit(edit) };
      }
      default:
        throw new Error(`this editor has no tool named ${(call as { tool: string }).tool}`);
    }
  }

  private async diagnostics(
    { uris, settle }: protocol.DiagnosticsArguments,
    token: vscode.CancellationToken,
  ): Promise<protocol.FileDiagnostics[]> {
    const asked = uris?.map((uri) => vscode.Uri.parse(uri));
    const unseen = asked?.filter((uri) => !this.changed.has(String(uri))) ?? [];
    // Language servers look at what is open; of a file that is opened for this they know nothing yet.
    await Promise.all((asked ?? []).map((uri) => vscode.workspace.openTextDocument(uri)));
    const waits = settle ? (asked?.map(String) ?? [...this.changed.keys()]) : unseen.map(String);
    const end = Date.now() + MOST_MS;
    while (
      !token.isCancellationRequested &&
      Date.now() < end &&
      !waits.every((uri) => this.has_settled(uri))
    ) {
      await sleep(POLL_MS);
    }
    const known = vscode.languages.getDiagnostics().filter(([, all]) => all.length > 0);
    return (asked ?? known.map(([uri]) => uri)).map((uri) => ({
      uri: String(uri),
      diagnostics: vscode.languages.getDiagnostics(uri).map(diagnostic),
    }));
  }

  private has_settled(uri: string): boolean {
    const changed = this.changed.get(uri) ?? 0;
    const told = this.told.get(uri) ?? 0;
    return Date.now() - (told > changed ? told + QUIET_MS : changed + SILENT_MS) >= 0;
  }
}

function ask<T>(command: string, ...args: unknown[]): Thenable<T | undefined> {
  return vscode.commands.executeCommand<T | undefined>(command, ...args);
}

/** Opening the document starts its language server, if that does not run yet. */
async function place({
  uri,
  position,
}: protocol.PlaceArguments): Promise<[uri: vscode.Uri, position: vscode.Position]> {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri));
  return [document.uri, new vscode.Position(position.line, position.character)];
}

async function symbols({ uri, query }: protocol.SymbolsArguments): Promise<protocol.SymbolInformation[]> {
  const found = uri
    ? await symbols_of((await vscode.workspace.openTextDocument(vscode.Uri.parse(uri))).uri)
    : await workspace_symbols(query ?? "");
  return found.map((symbol) => ({
    name: symbol.name,
    kind: symbol.kind + 1, // The editor counts the kinds from 0, LSP from 1.
    location: { uri: String(symbol.uri), range: range(symbol.name_range) },
    containerName: symbol.container,
  }));
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
