/** Saves what was clean before Opal edited it. Edits themselves are applied by the language client. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import * as protocol from "./protocol";

export function save_documents(client: LanguageClient, log: vscode.LogOutputChannel): void {
  client.onRequest(protocol.saveDocuments, async ({ uris }) => {
    const saved = await Promise.all(uris.map((uri) => save(uri, log)));
    return { saved: uris.filter((_, idx) => saved[idx]) };
  });
}

/** As the user would save it, formatters included. */
async function save(uri: string, log: vscode.LogOutputChannel): Promise<boolean> {
  try {
    // Opening it is what makes `save` work for a document that no editor shows.
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri));
    return !document.isDirty || (await document.save());
  } catch (error) {
    log.warn(`could not save ${uri}: ${error}`);
    return false;
  }
}
