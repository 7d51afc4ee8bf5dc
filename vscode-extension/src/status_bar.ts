/** One line in the status bar: what Opal does, with which model, and how full its context is. */
import * as vscode from "vscode";
import type { Status } from "./items";
import { about, count } from "./session";
import { waiting } from "./words";

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    "opal.status",
    vscode.StatusBarAlignment.Right,
    100,
  );

  constructor() {
    this.item.name = "Opal";
    this.item.command = "opal.focus";
    this.item.show();
  }

  show(status: Status): void {
    const { item } = this;
    const asks = status.questions.length > 0;
    const icon = asks
      ? "$(bell-dot)"
      : busy(status)
        ? "$(loading~spin)"
        : status.problem
          ? "$(warning)"
          : "$(opal)";
    const parts = [asks ? "asks" : waiting(status), status.model?.replace(/^.*\//, ""), context(status)];
    item.text = `${icon.replace("$(opal)", "$(sparkle)")} Opal${parts
      .filter((part) => part)
      .map((part) => ` · ${part}`)
      .join("")}`;
    item.accessibilityInformation = { label: item.text.replace(/\$\([^)]*\)/g, "") };
    item.tooltip = facts(status);
    item.backgroundColor = asks ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

function busy(status: Status): boolean {
  return status.state === "running" || status.state === "starting";
}

function context({ usage }: Status): string | undefined {
  return usage?.window ? `${about(usage)}${Math.round((100 * usage.used) / usage.window)} %` : undefined;
}

/** Model, permissions, context and cost; what is wrong if something is. */
export function facts({ problem, model, thinking_level, permission_mode, usage }: Status): string {
  if (problem) {
    return [problem.message, problem.hint].filter((line) => line).join("\n");
  }
  return [
    model && `Model: ${model}${thinking_level ? `, thinking ${thinking_level}` : ""}`,
    permission_mode && `Permissions: ${permission_mode}`,
    usage?.window && `Context: ${about(usage)}${count(usage.used)} of ${count(usage.window)} tokens`,
    usage && `Session: ${count(usage.input)} tokens in, ${count(usage.output)} out`,
    typeof usage?.cost === "number" && `Cost: $${usage.cost.toFixed(2)}`,
  ]
    .filter((line) => typeof line === "string")
    .join("\n");
}
