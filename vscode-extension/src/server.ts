/** The connection to `opal lsp`: started when it is first needed, started again when it dies. */
import { homedir } from "node:os";
import * as vscode from "vscode";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type Executable,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type StaticFeature,
  TransportKind,
} from "vscode-languageclient/node";
import { check_version, find } from "./binary";
import { type ClientCapabilities, PROTOCOL_VERSION } from "./protocol";
import { TOOLS } from "./tools";

/** A server that dies more often than this within the time is left alone. */
const MOST_RESTARTS = 3;
const RESTARTS_WITHIN_MS = 60_000;

export interface ServerEvents {
  /** Registers what the server may call, before it can call anything. */
  connect(client: LanguageClient): void;
  /** The server has died. */
  died(restarts: boolean): void;
  /** The server that died is there again. */
  restarted(): void;
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<LanguageClient> | undefined;
  private deaths: number[] = [];
  private stopping = false;

  constructor(
    private readonly extension: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly events: ServerEvents,
  ) {}

  /** The running server; starts it if it is not. Fails with what the user can be told. */
  async running(): Promise<LanguageClient> {
    if (this.client?.state === State.Running) {
      return this.client;
    }
    this.starting ??= this.start().finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.stopping = true;
    try {
      await client?.stop();
    } catch (error) {
      this.log.warn(`the server did not stop in an orderly way: ${error}`);
    } finally {
      this.stopping = false;
      await client?.dispose().catch(() => undefined); // it is gone already
    }
  }

  dispose(): void {
    void this.stop();
  }

  private async start(): Promise<LanguageClient> {
    await this.stop();
    const settings = vscode.workspace.getConfiguration("opal");
    const env = { ...process.env, ...settings.get<Record<string, string>>("environment") };
    const program = await find({
      configured: settings.get("path", ""),
      extension_dir: this.extension.extensionPath,
      path: env.PATH ?? "",
      platform: process.platform,
      home: homedir(),
    });
    const version = await check_version(program, env);
    this.log.info(`starting ${program}, version ${version}`);

    const command: Executable = {
      command: program,
      args: ["lsp"],
      transport: TransportKind.stdio,
      options: { env, cwd: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath },
    };
    const client = new LanguageClient("opal", "Opal", command, {
      documentSelector: [{ scheme: "file" }],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
    });
    client.registerFeature(capabilities);
    this.events.connect(client);
    this.client = client;
    await client.start();
    return client;
  }

  private closed(): CloseHandlerResult {
    if (this.stopping) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const now = Date.now();
    this.deaths = [...this.deaths.filter((death) => now - death < RESTARTS_WITHIN_MS), now];
    const restarts = this.deaths.length <= MOST_RESTARTS;
    this.log.error(`the server has died${restarts ? "; starting it again" : " too often"}`);
    if (restarts) {
      this.watch_restart();
    }
    this.events.died(restarts);
    return { action: restarts ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
  }

  private watch_restart(): void {
    const client = this.client;
    const watching = client?.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        watching?.dispose();
        this.events.restarted();
      }
    });
  }
}

/** Says in `initialize` what this client answers. */
const capabilities: StaticFeature = {
  fillClientCapabilities(all) {
    const opal: ClientCapabilities = {
      version: PROTOCOL_VERSION,
      confirm: true,
      input: true,
      save_documents: true,
      tools: TOOLS,
    };
    all.experimental = { ...all.experimental, opal };
  },
  initialize() {},
  getState: () => ({ kind: "static" }),
  clear() {},
};
