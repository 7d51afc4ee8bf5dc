// A window to drive in a story, with the extension, a scripted model and a folder of its own.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

/** Long, for a machine that has much else to do; what happens is seen at once. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/** What fails a story, as opposed to what fails the test. */
class Unexpected extends Error {
  get expectation() {
    return this.message;
  }
}

export class Editor {
  errors = [];
  figures = [];

  static async open(server) {
    const self = new Editor();
    self.server = server;
    self.scratch = await realpath(await mkdtemp(join(tmpdir(), "opal-story-")));
    self.dir = join(self.scratch, "work");
    await mkdir(self.dir);
    return self;
  }

  expect(what, actual, expected) {
    if (!isDeepStrictEqual(actual, expected)) {
      throw new Unexpected(`${what}\nexpected ${JSON.stringify(expected)}\nbut got  ${JSON.stringify(actual)}`);
    }
  }

  /** Waits until `check` returns something, and returns that. */
  async eventually(what, check, timeout = TIMEOUT_MS) {
    const end = Date.now() + timeout;
    for (;;) {
      const result = await check();
      if (result) {
        return result;
      }
      if (Date.now() > end) {
        throw new Unexpected(`never happened: ${what}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Writes a file of the project. */
  async file(name, text) {
    const path = join(this.dir, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  on_disk(name) {
    const path = join(this.dir, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  /** A step of the model's script that waits until `open_gate` is called with the same name. */
  gate(name) {
    return { wait_for: join(this.scratch, name) };
  }

  async open_gate(name) {
    await writeFile(join(this.scratch, name), "");
  }

  /**
   * Opens the window, with a model that gives these answers; see tests/nvim/model.md. `settings` are the machine's,
   * `folder` those of the workspace, `user` those of the user.
   */
  async start(answers, { settings = {}, folder = {}, viewport = { width: 1400, height: 900 }, view = true, config, github, folders, user = {} } = {}) {
    await this.server.set(user);
    const data = join(this.scratch, "data");
    await mkdir(data);
    const url = await (github ? this.start_github(data) : this.start_model(answers));
    if (config) {
      await writeFile(join(data, "config.toml"), config(url));
    }
    const model = config || github ? {} : { OPAL_BASE_URL: url, OPAL_MODEL: "scripted", OPAL_API_KEY: "none" };
    await this.server.set_machine({
      "opal.path": process.env.OPAL_TEST_BIN,
      "opal.environment": { ...model, OPAL_DATA_DIR: data },
      ...settings,
    });
    let query = `folder=${encodeURIComponent(this.dir)}`;
    if (folders) {
      const content = { folders: folders.map((path) => ({ path })), settings: folder };
      await this.file("all.code-workspace", JSON.stringify(content));
      query = `workspace=${encodeURIComponent(join(this.dir, "all.code-workspace"))}`;
    } else {
      await this.file(".vscode/settings.json", JSON.stringify(folder));
    }
    this.context = await this.server.browser.newContext({ viewport });
    await this.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: this.server.url });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(TIMEOUT_MS);
    this.page.on("console", (message) => {
      const text = message.text();
      if (/Content Security Policy/.test(text) && /vscode-webview|view\.js|style\.css/.test(text + message.location().url)) {
        this.errors.push(text);
      }
    });
    this.page.on("pageerror", (error) => this.errors.push(String(error)));
    await this.page.goto(`${this.server.url}/?${query}`);
    await this.page.waitForSelector(".monaco-workbench .activitybar");
    if (view) {
      await this.show_view();
    }
  }

  async start_model(answers) {
    const script = join(this.scratch, "script.json");
    await writeFile(script, JSON.stringify({ answers }));
    const [program, ...args] = process.env.OPAL_TEST_MODEL_CMD.split(" ");
    this.model = spawn(program, [...args, script, join(this.scratch, "requests")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    return new Promise((resolve, reject) => {
      this.model.stdout.once("data", (data) => resolve(String(data).trim()));
      this.model.once("exit", () => reject(new Error("the model ended")));
    });
  }

  /** A double of GitHub to sign in to, instead of the model. */
  async start_github(data) {
    const config = join(data, "config.toml");
    this.model = spawn(process.env.OPAL_TEST_GITHUB, [data], { stdio: ["pipe", "ignore", "inherit"] });
    await this.eventually("GitHub is there", () => existsSync(config) && readFileSync(config, "utf8") !== "");
  }

  /** The ids of this window's servers. */
  servers() {
    const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return ids.filter((id) => is_server(id, this.scratch)).map(Number);
  }

  /** Everything the model was sent, as JSON. */
  sent() {
    const path = join(this.scratch, "requests");
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  async model_was_told(part) {
    await this.eventually(`the model was told: ${part}`, () => this.sent().includes(part));
  }

  /** Opens the view of the extension. */
  async show_view() {
    await this.page.click('.activitybar a[aria-label^="Opal"]');
    await this.find_view();
  }

  /** The page of the view; another one after it was hidden. */
  async find_view() {
    this.view = await this.eventually("the view is there", async () => {
      for (const frame of this.page.frames()) {
        if (await frame.$("textarea[aria-label=Prompt]").catch(() => null)) {
          return frame;
        }
      }
    });
  }

  /** Reload Window, as a user does it. */
  async reload() {
    const loaded = this.page.waitForEvent("load");
    await this.command("Developer: Reload Window");
    await loaded;
    await this.page.waitForSelector(".monaco-workbench .activitybar");
    await this.find_view();
  }

  /** Runs a command by its title. The palette lists what can be done at the moment that it opens. */
  async command(title) {
    const row = `.quick-input-list .monaco-list-row.focused[aria-label*="${title}"]`;
    await this.eventually(`the palette offers: ${title}`, async () => {
      await this.page.keyboard.press("F1");
      await this.page.waitForSelector(".quick-input-widget input");
      await this.page.keyboard.insertText(title);
      const found = await this.page.waitForSelector(row, { timeout: 5000 }).catch(() => undefined);
      await this.page.keyboard.press(found ? "Enter" : "Escape");
      return found;
    });
  }

  /** Whether the palette offers a command. */
  async offers(title) {
    await this.page.keyboard.press("F1");
    await this.page.waitForSelector(".quick-input-widget input");
    await this.page.keyboard.insertText(title);
    // Where there is no such command, the palette offers others.
    let is_offered;
    await this.eventually("the palette has looked", async () => {
      const rows = await this.page.$$eval(".quick-input-list .monaco-list-row", (all) =>
        all.map((row) => row.ariaLabel),
      );
      is_offered = rows.some((label) => label.includes(title));
      return is_offered || rows.some((label) => label.includes("similar commands"));
    });
    await this.page.keyboard.press("Escape");
    return is_offered;
  }

  /** Chooses from the list that is open, by a part of a line. */
  async choose(part) {
    await this.page.waitForSelector(`.quick-input-list .monaco-list-row[aria-label*="${part}"]`);
    await this.page.keyboard.insertText(part);
    await this.page.waitForSelector(`.quick-input-list .monaco-list-row.focused[aria-label*="${part}"]`);
    await this.page.keyboard.press("Enter");
  }

  /** Answers an input box by a part of what it asks. */
  async input(part, text) {
    await this.page.waitForSelector(`.quick-input-widget:visible:has-text("${part}") input`);
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press("Enter");
  }

  /** Opens a file by its name. */
  async edit(name) {
    await this.page.keyboard.press("Control+p");
    await this.page.waitForSelector(".quick-input-widget input");
    await this.page.keyboard.insertText(name);
    await this.page.waitForSelector(`.quick-input-list .monaco-list-row[aria-label*="${name.replace(/^.*\//, "")}"]`);
    await this.page.keyboard.press("Enter");
    await this.page.waitForSelector(`.tab.active[data-resource-name="${name.replace(/^.*\//, "")}"]`);
    await this.page.waitForSelector(".editor-instance .monaco-editor .view-line");
    await this.page.click(".editor-instance .monaco-editor .view-lines");
  }

  /** Chooses what the light bulb offers; it takes a moment until it offers everything. */
  async choose_action(title) {
    const action = `.action-widget :text("${title}")`;
    await this.eventually(`the light bulb offers: ${title}`, async () => {
      await this.page.keyboard.press("Control+.");
      const found = await this.page.waitForSelector(action, { timeout: 5000 }).catch(() => undefined);
      await (found ? found.click() : this.page.keyboard.press("Escape"));
      return found;
    });
  }

  /** The text of the active editor, as far as it is to be seen. */
  async text() {
    const lines = await this.page.$$eval(".editor-instance .monaco-editor .view-line", (elements) =>
      elements
        .map((element) => [Number.parseInt(element.style.top, 10), element.textContent])
        .sort(([a], [b]) => a - b)
        .map(([, text]) => text.replaceAll("\u00a0", " ")),
    );
    return lines.join("\n");
  }

  async text_becomes(what, expected) {
    let actual;
    try {
      await this.eventually(what, async () => {
        actual = await this.text();
        return actual === expected;
      });
    } catch {
      this.expect(what, actual, expected);
    }
  }

  /** Types a prompt and sends it. */
  async prompt(text, key = "Enter") {
    await this.view.click("textarea");
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press(key);
  }

  /** What the conversation shows. */
  async transcript() {
    return this.view.$eval(".log", (log) => log.innerText);
  }

  async shows(part) {
    await this.eventually(`the conversation shows: ${part}`, async () => (await this.transcript()).includes(part));
  }

  async dock_shows(part) {
    await this.eventually(`the dock shows: ${part}`, async () => (await this.dock()).includes(part));
  }

  async dock_shows_no(part) {
    await this.eventually(`the dock does not show: ${part}`, async () => !(await this.dock()).includes(part));
  }

  /** What stands below the conversation. */
  async dock() {
    return this.view.$eval(".dock", (dock) => dock.innerText);
  }

  /** Waits until nothing runs any more. */
  async idle() {
    await this.eventually("the session is idle", () => this.view.$eval(".now", (now) => now.hidden));
  }

  async status_bar() {
    return this.page.$eval('[id$="opal.status"]', (item) => item.textContent);
  }

  /** Clicks a button of the view by what it is called. */
  async press(name) {
    await this.view.click(`button:visible:text-is("${name}"), button:visible[aria-label="${name}"]`);
  }

  async notified(part) {
    await this.eventually(`a notification says: ${part}`, async () => {
      const texts = await this.page.$$eval(".notification-toast", (toasts) => toasts.map((toast) => toast.textContent));
      return texts.some((text) => text.includes(part));
    });
  }

  async screenshot(name) {
    await mkdir(process.env.OPAL_TEST_SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(process.env.OPAL_TEST_SHOTS, `${name}.png`) });
  }

  /** What there is to see when a story fails. */
  async describe(name) {
    try {
      const shot = `failed-${name.replace(/\W+/g, "-")}`;
      await this.screenshot(shot);
      const conversation = (await this.transcript()).slice(-1500);
      const sent = this.sent().slice(-3000);
      return `conversation:\n${conversation}\n\nthe model was sent: …${sent}\n\nerrors: ${this.errors.join("\n")}\n\nsee ${shot}.png`;
    } catch (error) {
      return `(no more to see: ${error.message})`;
    }
  }

  async close() {
    await this.context?.close();
    this.model?.kill();
    await rm(this.scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

function is_server(id, scratch) {
  try {
    const read = (name) => readFileSync(`/proc/${id}/${name}`, "utf8");
    return read("cmdline").startsWith(`${process.env.OPAL_TEST_BIN}\0lsp`) && read("environ").includes(scratch);
  } catch {
    return false; // it has ended meanwhile
  }
}
