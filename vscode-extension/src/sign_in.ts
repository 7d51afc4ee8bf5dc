/** Signing in with a device code: shown, copied, waited for. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import * as protocol from "./protocol";

/** `in_dialog` waits for a list to choose from. */
export async function sign_in(
  client: LanguageClient,
  in_dialog: <T>(dialog: Thenable<T>) => Promise<T>,
): Promise<protocol.ProviderStatus | undefined> {
  const { existing } = await client.sendRequest(protocol.authStatus, {});
  const use_existing = await in_dialog(choose(existing));
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
        void copy(code.user_code).then((copied) => progress.report({ message: describe(code, copied) }));
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

function describe({ user_code, verification_uri, expires_in }: protocol.DeviceCodeParams, copied: boolean) {
  const minutes = Math.round(expires_in / 60);
  const where = `[${verification_uri}](${verification_uri})`;
  return `enter the code ${user_code}${copied ? ", which is in the clipboard," : ""} at ${where} within ${minutes} minutes`;
}

/** Whether the text is in the clipboard; a browser may forbid it. */
async function copy(text: string): Promise<boolean> {
  return vscode.env.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
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
