/** What the light bulb offers: about the problems at the cursor, about the selection. */
import * as vscode from "vscode";
import type { Mention } from "./items";
import { diagnostics_mention, range_mention } from "./mentions";

export class CodeActions implements vscode.CodeActionProvider {
  static readonly kinds = [vscode.CodeActionKind.QuickFix, vscode.CodeActionKind.RefactorRewrite];

  provideCodeActions(
    document: vscode.TextDocument,
    range: vscode.Range | vscode.Selection,
    context: vscode.CodeActionContext,
  ): vscode.CodeAction[] {
    const actions: vscode.CodeAction[] = [];
    const { diagnostics } = context;
    if (diagnostics.length > 0) {
      const mention = diagnostics_mention(document.uri, diagnostics);
      const fix = action("Fix with Opal", vscode.CodeActionKind.QuickFix, "Fix this.", mention);
      fix.diagnostics = [...diagnostics];
      const explain = action(
        "Explain with Opal",
        vscode.CodeActionKind.QuickFix,
        "Explain this problem; change nothing.",
        mention,
      );
      explain.diagnostics = [...diagnostics];
      actions.push(fix, explain);
    }
    if (!range.isEmpty) {
      const mention = range_mention(document.uri, range);
      const kind = vscode.CodeActionKind.RefactorRewrite;
      actions.push(action("Explain with Opal", kind, "Explain this; change nothing.", mention));
      const change = new vscode.CodeAction("Change with Opal…", kind);
      change.command = { command: "opal.promptAboutSelection", title: change.title };
      actions.push(change);
    }
    return actions;
  }
}

function action(
  title: string,
  kind: vscode.CodeActionKind,
  text: string,
  mention: Mention,
): vscode.CodeAction {
  const made = new vscode.CodeAction(title, kind);
  made.command = { command: "opal.say", title, arguments: [text, [mention]] };
  return made;
}
