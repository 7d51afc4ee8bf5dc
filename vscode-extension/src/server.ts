/** The connection to `opal lsp`, whose process is started when it is first needed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  type StaticFeature,
} from "vscode-languageclient/node";
import { check_version, find, NoServer } from "./binary";
import { Life } from "./life";
import { type ClientCapabilities, PROTOCOL_VERSION } from "./protocol";
import { TOOLS } from "./tools";

/** A server that dies more often than this within the time is left alone. */
const MOST_DEATHS = 3;
const DEATHS_WITHIN_MS = 60_000;
/** Until a server that was told to end is killed. */
const ENDS_WITHIN_MS = 2000;

export interface ServerEvents {
  /** Registers what the server may call, before it can call anything. */
  connect(client: LanguageClient): void;
  /** The server has died. Who needs it starts it again, which is no use if it has died too often. */
  died(too_often: boolean): void;
}

interface Running {
  client: LanguageClient;
  process: ChildProcess;
}

export class Server {
  private deaths: number[] = [];
  private readonly life = new Life<Running>({
    start: (stop, died) => this.start(stop, died),
    end: (running) => this.end(running),
    on_died: () => this.died(),
  });

  constructor(
    private readonly extension: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly events: ServerEvents,
  ) {}

  /** The running server; starts it if it is not. Fails with what the user can be told. */
  async running(): Promise<LanguageClient> {
    return (await this.life.running()).client;
  }

  /** Resolves when it is gone. */
  stop(): Promise<void> {
    return this.life.stop();
  }

  private async start(stop: AbortSignal, died: () => void): Promise<Running> {
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

    const server = spawn(program, ["lsp", "--stdio", `--clientProcessId=${process.pid}`], {
      env,
      cwd: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
      signal: stop,
      killSignal: "SIGKILL",
    });
    server.on("error", (error) => this.log.warn(`${program}: ${error.message}`));
    const client = new Client("opal", "Opal", async () => server, {
      documentSelector: [{ scheme: "file" }],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          died();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    });
    client.registerFeature(capabilities);
    this.events.connect(client);
    try {
      await once(server, "spawn");
      await client.start();
    } catch (error) {
      server.kill("SIGKILL");
      this.log.error(`${program} does not start: ${error}`);
      throw stop.aborted
        ? new NoServer("Opal's server was stopped.", "Try again.")
        : new NoServer("Opal's server ended while it started.", "Opal: Show Log shows what it said.");
    }
    return { client, process: server };
  }

  private async end({ client, process: server }: Running): Promise<void> {
    const gone = server.exitCode ?? server.signalCode ?? once(server, "exit");
    try {
      await client.stop(ENDS_WITHIN_MS);
      await Promise.race([gone, sleep(ENDS_WITHIN_MS)]);
    } catch (error) {
      this.log.warn(`the server did not stop in an orderly way: ${error}`);
    }
    server.kill("SIGKILL"); // nothing if it is gone
  }

  private died(): void {
    const now = Date.now();
    this.deaths = [...this.deaths.filter((death) => now - death < DEATHS_WITHIN_MS), now];
    const too_often = this.deaths.length > MOST_DEATHS;
    this.log.error(`the server has died${too_often ? " too often" : ""}`);
    this.events.died(too_often);
  }
}

/** That it could not start is told by who needed it. */
class Client extends LanguageClient {
  override error(message: string, data?: unknown, show?: boolean | "force"): void {
    super.error(message, data, show === "force" ? false : show);
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
