// One code-server and one browser for all stories, with the extension installed as its users install it.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const { chromium } = createRequire(`${process.env.OPAL_TEST_TOOLS}/`)("playwright-core");

/** A window that asks nothing and shows nothing of its own. */
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Dark Modern",
  "workbench.reduceMotion": "on",
  "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true,
  "chat.commandCenter.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "git.enabled": false,
  "files.autoSave": "off",
  "files.simpleDialog.enable": true,
  "window.confirmBeforeClose": "never",
  "security.workspace.trust.enabled": false,
};

export class Server {
  static async start() {
    const self = new Server();
    self.scratch = await mkdtemp(join(tmpdir(), "opal-vscode-"));
    const user = join(self.scratch, "user");
    await mkdir(join(user, "User"), { recursive: true });
    await mkdir(join(user, "Machine"), { recursive: true });
    self.settings = join(user, "User", "settings.json");
    self.machine_settings = join(user, "Machine", "settings.json");
    await self.set({});
    const port = await free_port();
    const dirs = ["--user-data-dir", user, "--extensions-dir", join(self.scratch, "extensions")];
    const config = ["--config", join(self.scratch, "config.yaml")];
    const program = process.env.OPAL_TEST_CODE_SERVER;
    // No gallery: nothing is asked for outside.
    const env = { ...process.env, EXTENSIONS_GALLERY: '{"serviceUrl":""}', PATH: process.env.PATH };
    await promisify(execFile)(
      program,
      [...config, ...dirs, "--install-extension", process.env.OPAL_TEST_VSIX],
      { env },
    );
    self.process = spawn(
      program,
      [
        ...config,
        ...dirs,
        ...["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry", "--disable-update-check"],
        "--disable-getting-started-override",
      ],
      { env, stdio: "ignore", detached: true },
    );
    self.url = `http://127.0.0.1:${port}`;
    for (let left = 200; ; left -= 1) {
      try {
        await fetch(`${self.url}/healthz`);
        break;
      } catch (error) {
        if (left === 0) {
          throw error;
        }
        await sleep(100);
      }
    }
    self.browser = await chromium.launch({
      executablePath: process.env.OPAL_TEST_CHROMIUM,
      headless: true,
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
    return self;
  }

  /** The user's own settings, for the windows that are opened from now on. */
  async set(settings) {
    await writeFile(this.settings, JSON.stringify({ ...SETTINGS, ...settings }));
  }

  /** What is set on the machine of the server, for the windows that are opened from now on. */
  async set_machine(settings) {
    await writeFile(this.machine_settings, JSON.stringify(settings));
  }

  async stop() {
    await this.browser.close();
    try {
      process.kill(-this.process.pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await sleep(500);
    await rm(this.scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function free_port() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
