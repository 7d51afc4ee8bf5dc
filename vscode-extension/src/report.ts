/** Tells the user that something went wrong, and what can be done about it. */
import * as vscode from "vscode";
import { describe } from "./agent";
import { without_links } from "./words";

export async function report(error: unknown): Promise<void> {
  const { message, hint, command, label } = describe(error);
  const text = without_links(`Opal: ${message}${hint ? ` ${hint}` : ""}`);
  const chosen = await vscode.window.showErrorMessage(text, ...(label ? [label] : []));
  if (chosen && command) {
    await vscode.commands.executeCommand(command);
  }
}
