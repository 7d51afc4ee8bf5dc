/** What the editor's language servers know by name. */
import * as vscode from "vscode";

export interface Found {
  name: string;
  kind: vscode.SymbolKind;
  /** What it stands in, such as a class. */
  container?: string;
  uri: vscode.Uri;
  /** Where the whole of it stands, and where its name. */
  range: vscode.Range;
  name_range: vscode.Range;
}

export async function symbols_of(uri: vscode.Uri): Promise<Found[]> {
  const found = await vscode.commands.executeCommand<
    (vscode.DocumentSymbol | vscode.SymbolInformation)[] | undefined
  >("vscode.executeDocumentSymbolProvider", uri);
  return (found ?? []).flatMap((item) => ("children" in item ? flatten(item, uri) : [one(item)]));
}

export async function workspace_symbols(query: string): Promise<Found[]> {
  const found = await vscode.commands.executeCommand<vscode.SymbolInformation[] | undefined>(
    "vscode.executeWorkspaceSymbolProvider",
    query,
  );
  return (found ?? []).map(one);
}

function flatten(symbol: vscode.DocumentSymbol, uri: vscode.Uri, container?: string): Found[] {
  const { name, kind, range, selectionRange: name_range, children } = symbol;
  return [
    { name, kind, container, uri, range, name_range },
    ...children.flatMap((child) => flatten(child, uri, name)),
  ];
}

function one({ name, kind, location, containerName }: vscode.SymbolInformation): Found {
  // Of what is in the whole workspace some servers say no more than the file.
  const range = location.range ?? new vscode.Range(0, 0, 0, 0);
  return { name, kind, container: containerName || undefined, uri: location.uri, range, name_range: range };
}
