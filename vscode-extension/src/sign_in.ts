/** Signing in with a device code: shown, copied, waited for. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import * as protocol from "./protocol";

export async function sign_in(client: LanguageClient): Promise<protocol.ProviderStatus | undefined> {
  const { existing } = await client.sendRequest(protocol.authStatus, {});
  const use_existing = await choose(existing);
  if (use_existing === null) {
    return undefined;
  }
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: "Signing in to GitHub Copilot",
      cancellable: true,
    },
    async (progress, token) => {
      const showing = client.onNotification(protocol.authDeviceCode, (code) => {
        progress.report({ message: `enter ${code.user_code} at ${code.verification_uri}` });
        void show_code(code);
      });
      try {
        const { status } = await client.sendRequest(protocol.authLogin, { use_existing }, token);
        return status;
      } catch (error) {
        if (token.isCancellationRequested) {
          return undefined;
        }
        throw error;
      } finally {
        showing.dispose();
      }
    },
  );
}

async function show_code(code: protocol.DeviceCodeParams): Promise<void> {
  await vscode.env.clipboard.writeText(code.user_code);
  const minutes = Math.round(code.expires_in / 60);
  const open = "Open the Page";
  const chosen = await vscode.window.showInformationMessage(
    `Opal: the code ${code.user_code} is in the clipboard. Paste it at ${code.verification_uri} within ${minutes} minutes.`,
    ...(code.opened ? [] : [open]),
  );
  if (chosen === open) {
    await vscode.env.openExternal(vscode.Uri.parse(code.verification_uri));
  }
}

/** The sign-in of another program to use; `undefined` for a new one, `null` for none at all. */
async function choose(existing: protocol.ExistingLogin[]): Promise<string | undefined | null> {
  if (existing.length === 0) {
    return undefined;
  }
  const items = [
    ...existing.map(({ found_in, account }) => ({
      label: `Use the sign-in of ${found_in}`,
      description: account ?? undefined,
      found_in: found_in as string | undefined,
    })),
    { label: "Sign in anew", found_in: undefined },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: "Sign In to GitHub Copilot" });
  return chosen ? chosen.found_in : null;
}
