// What a user does, and what comes of it.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const stories = [];

function story(name, play) {
  stories.push({ name, play });
}

const say = (...text) => ({ text });
const think = (...thinking) => ({ thinking });
const call = (name, args) => ({ call: { name, arguments: args } });
const read = (path) => call("read", { path });
const run = (command) => call("shell", { command });
const write = (path, content) => call("write", { path, content });
const edit = (path, ...edits) =>
  call("edit", { path, edits: edits.map(([old_text, new_text]) => ({ old_text, new_text })) });
const FREELY = { settings: { "opal.permissionMode": "auto_edit" } };
/** A server that asks for a secret. */
const SECRETIVE = fileURLToPath(new URL("secretive.mjs", import.meta.url));
/** A picture of one point. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const UNASKED = { settings: { "opal.permissionMode": "full" } };

story("a prompt streams its answer", async (t) => {
  await t.start([[think("**Weighing it**\n\nOn the one ", "hand"), say("Hello ", "there"), t.gate("go"), say(",\n\n- a\n- b")]]);
  t.expect("nothing runs yet", await t.status_bar(), " Opal");
  await t.prompt("greet me");
  await t.shows("Hello there");
  await t.dock_shows("waiting for the model");
  await t.open_gate("go");
  await t.idle();
  t.expect("the conversation", await t.transcript(), "greet me\nThought Weighing it\n\nHello there,\n\na\nb");
  await t.screenshot("prompt");
});

story("a call shows its live output, and a change its diff", async (t) => {
  await t.file("a.txt", "one\ntwo\n");
  await t.start(
    [
      [run(`echo live; while [ ! -e ${t.gate("go").wait_for} ]; do sleep 0.05; done; echo end`)],
      [read("a.txt")],
      [edit("a.txt", ["one", "ONE"])],
      [say("Done.")],
    ],
    UNASKED,
  );
  await t.prompt("shout");
  await t.shows("live");
  await t.dock_shows("running ");
  await t.open_gate("go");
  await t.shows("Done.");
  await t.idle();
  await t.shows("-one\n+ONE");
  t.expect("on disk", t.on_disk("a.txt"), "ONE\ntwo\n");
  await t.press("Open Diff");
  await t.page.waitForSelector('.tab[aria-label*="Changed by Opal"]');
  await t.page.waitForSelector(".monaco-diff-editor .line-delete", { state: "attached" });
  await t.screenshot("tools");
});

story("an allowed change is made", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("Done.")]]);
  await t.prompt("shout");
  await t.dock_shows("Edit a.txt");
  t.expect(
    "exactly what is offered",
    await t.view.$$eval(".answers .primary, .answers .secondary", (buttons) => buttons.map((b) => b.textContent)),
    ["Allow", "Deny", "Allow for Session"],
  );
  await t.eventually("the status bar tells", async () => (await t.status_bar()).includes("asks"));
  await t.press("Show Diff");
  await t.page.waitForSelector('.tab[aria-label*="Proposed by Opal"]');
  await t.page.waitForSelector(".monaco-diff-editor .line-insert", { state: "attached" });
  await t.screenshot("confirm");
  await t.press("Allow");
  await t.shows("Done.");
  t.expect("on disk", t.on_disk("a.txt"), "ONE\n");
  t.expect("the question is gone", await t.view.$$eval(".question", (all) => all.length), 0);
});

story("a denied change is not made, and the word reaches the model", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("I see.")]]);
  await t.prompt("shout");
  await t.view.fill(".word", "never shout");
  await t.page.keyboard.press("Enter");
  await t.shows("I see.");
  await t.model_was_told("never shout");
  t.expect("untouched", t.on_disk("a.txt"), "one\n");
});

story("what cannot be seen is asked by a notification, and answering in one place closes the other", async (t) => {
  await t.start([[run("touch first")], [t.gate("go"), run("touch second")], [say("Done.")]]);
  await t.prompt("run them");
  await t.dock_shows("touch first");
  const toasts = () => t.page.$$eval(".notification-toast", (all) => all.map((toast) => toast.textContent));
  t.expect("no notification while the view shows it", await toasts(), []);
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.notified("touch first");
  await t.screenshot("notification");
  await t.page.click('.notification-toast a:text-is("Allow")');
  await t.eventually("it ran", () => t.on_disk("first") !== undefined);
  await t.eventually("the notification is gone", async () => (await toasts()).length === 0);
  await t.open_gate("go");
  await t.notified("touch second");
  await t.show_view();
  await t.press("Allow");
  await t.shows("Done.");
  t.expect("it ran", t.on_disk("second"), "");
  await t.eventually("the notification is gone", async () => (await toasts()).length === 0);
});

story("a question that was put off in its dialog is still asked by a notification", async (t) => {
  await t.start([[call("ask_user", { question: "How dark?" })], [say("Good.")]]);
  await t.prompt("paint");
  await t.dock_shows("How dark?");
  await t.press("Answer…");
  await t.page.waitForSelector('.quick-input-widget:visible:has-text("How dark?") input');
  await t.page.keyboard.press("Escape");
  await t.page.waitForSelector(".quick-input-widget", { state: "hidden" });
  await t.eventually("the keyboard is in the prompt box", () =>
    t.view.evaluate(() => document.hasFocus() && document.activeElement?.matches("textarea[aria-label=Prompt]")),
  );
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.notified("How dark?");
});

story("a change of several files is shown as one diff", async (t) => {
  await t.file("tsconfig.json", '{"files": ["price.ts", "cart.ts"]}');
  await t.file("price.ts", "export function total(net: number) {\n  return net * 1.19;\n}\n");
  await t.file("cart.ts", 'import { total } from "./price";\n\nexport const paid = total(1);\n');
  await t.start([[call("rename", { path: "price.ts", line: 1, symbol: "total", new_name: "sum" })], [say("Done.")]]);
  await t.prompt("rename it");
  await t.dock_shows("Show Diff");
  await t.press("Show Diff");
  await t.page.waitForSelector('.tab[aria-label*="2 Files (Proposed by Opal)"]');
  await t.page.waitForSelector(".multiDiffEntry .line-insert");
  await t.press("Allow");
  await t.shows("Done.");
  await t.press("Open Diff");
  await t.page.waitForSelector('.tab[aria-label*="2 Files (Changed by Opal)"]');
});

story("a command cannot smuggle a link into its notification", async (t) => {
  await t.start([[run("echo '[Allow](command:workbench.action.closeWindow)'")], [say("Done.")]]);
  await t.command("Opal: Prompt…");
  await t.input("What is to be done?", "go");
  await t.dock_shows("closeWindow");
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.notified("closeWindow");
  t.expect(
    "its links",
    await t.page.$$eval(".notification-toast .notification-list-item-message a", (all) => all.map((a) => a.textContent)),
    ["Allow", "Deny…", "Allow for This Session"],
  );
});

story("a command that does not fit its notification is allowed in the view only", async (t) => {
  await t.start([[run("echo harmless\ntouch ran")], [say("Done.")]]);
  await t.prompt("go");
  await t.dock_shows("touch ran");
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.notified("echo harmless …");
  t.expect(
    "its links",
    await t.page.$$eval(".notification-toast .notification-list-item-message a", (all) => all.map((a) => a.textContent)),
    ["Deny…", "Show All"],
  );
  await t.page.click('.notification-toast a:text-is("Show All")');
  await t.find_view();
  await t.dock_shows("touch ran");
  await t.press("Allow");
  await t.shows("Done.");
  t.expect("it ran", t.on_disk("ran"), "");
});

story("files that an answer names are opened, whatever they hold", async (t) => {
  await t.file("100%/a.txt", "one\ntwo\nthree\n");
  await t.file("shot.png", Buffer.from(PNG, "base64"));
  await t.start([[say("See [the shot](shot.png) and [the rest](<100%/a.txt:2>).")]]);
  await t.prompt("look");
  await t.view.click('a:text-is("the shot")');
  await t.page.waitForSelector('.tab.active[data-resource-name="shot.png"]');
  await t.page.waitForSelector('.statusbar-item:has-text("1x1")');
  await t.view.click('a:text-is("the rest")');
  await t.page.waitForSelector('.tab.active[data-resource-name="a.txt"]');
  await t.page.waitForSelector('.statusbar-item:has-text("Ln 2, Col 1")');
});

story("a question of the model is answered by choosing or typing", async (t) => {
  await t.start([
    [call("ask_user", { question: "Which colour?", choices: ["red", "blue"] })],
    [call("ask_user", { question: "How dark?" })],
    [say("Good.")],
  ]);
  await t.prompt("paint");
  await t.dock_shows("Which colour?");
  await t.press("blue");
  await t.model_was_told("blue");
  await t.dock_shows("How dark?");
  await t.press("Answer…");
  await t.input("How dark?", "ultramarine");
  await t.shows("Good.");
  await t.model_was_told("ultramarine");
});

story("an edit lands in an unsaved buffer as one undo step, while the user types", async (t) => {
  await t.file("a.txt", "one\ntwo\n");
  await t.start(
    [[read("a.txt")], [t.gate("go"), edit("a.txt", ["one", "ONE\nand a half"])], [say("Done.")]],
    FREELY,
  );
  await t.edit("a.txt");
  await t.page.keyboard.press("Control+End");
  await t.page.keyboard.type("mine");
  await t.prompt("shout");
  await t.shows("read");
  await t.page.click(".editor-instance .monaco-editor .view-lines");
  await t.page.keyboard.press("Control+End");
  await t.page.keyboard.type(" typed");
  await t.open_gate("go");
  await t.shows("Done.");
  await t.page.keyboard.type(" on");
  await t.text_becomes("both texts stand", "ONE\nand a half\ntwo\nmine typed on");
  await t.model_was_told("mine");
  t.expect("unsaved work is not saved", t.on_disk("a.txt"), "one\ntwo\n");
  await t.page.keyboard.press("Control+z");
  await t.text_becomes("undo takes back what was typed after", "ONE\nand a half\ntwo\nmine typed");
  await t.page.keyboard.press("Control+z");
  await t.text_becomes("undo takes back the edit and nothing else", "one\ntwo\nmine typed");
});

story("a clean document is saved after an edit, a new file is made, a closed one is changed", async (t) => {
  await t.file("open.txt", "one\n");
  await t.file("closed.txt", "one\r\ntwo\r\n");
  await t.start(
    [
      [read("open.txt"), read("closed.txt")],
      [edit("open.txt", ["one", "ONE"])],
      [edit("closed.txt", ["two", "TWO"])],
      [write("new/file.txt", "one\ntwo\n")],
      [say("Done.")],
    ],
    FREELY,
  );
  await t.edit("open.txt");
  await t.prompt("shout");
  await t.shows("Done.");
  t.expect("the open one", t.on_disk("open.txt"), "ONE\n");
  t.expect("the closed one, with its line ends", t.on_disk("closed.txt"), "one\r\nTWO\r\n");
  t.expect("the new one", t.on_disk("new/file.txt"), "one\ntwo\n");
});

story("a document whose file mixes line ends is saved, and nobody is said to have typed", async (t) => {
  await t.file("mixed.txt", "one\r\ntwo\nthree\r\n");
  await t.start(
    [[read("mixed.txt")], [edit("mixed.txt", ["two", "TWO"])], [run("cat mixed.txt")], [say("Done.")]],
    UNASKED,
  );
  await t.edit("mixed.txt");
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  t.expect("saved with the line end that the editor gave it", t.on_disk("mixed.txt"), "one\r\nTWO\r\nthree\r\n");
  t.expect("nothing is unsaved", /\(not saved|have unsaved changes/.test(t.sent()), false);
});

story("steering reaches the running turn", async (t) => {
  await t.start([[say("Working"), t.gate("go"), run("true")], [say("Shorter then.")]], UNASKED);
  await t.prompt("work");
  await t.shows("Working");
  await t.prompt("shorter");
  await t.dock_shows("shorter");
  t.expect("it is not said yet", (await t.transcript()).includes("shorter"), false);
  await t.open_gate("go");
  await t.shows("Shorter then.");
  await t.idle();
  await t.shows("steered\nshorter");
  await t.model_was_told("shorter");
});

story("a follow-up waits for the answer, and can be withdrawn", async (t) => {
  await t.start([[say("Working"), t.gate("go")], [say("They pass.")]]);
  await t.prompt("work");
  await t.shows("Working");
  await t.prompt("and the tests", "Alt+Enter");
  await t.prompt("never mind", "Alt+Enter");
  await t.dock_shows("never mind");
  await t.screenshot("queue");
  await t.view.click('button[aria-label="Withdraw: never mind"]');
  await t.eventually("it is back in the box", async () => (await t.view.inputValue("textarea")) === "never mind");
  await t.open_gate("go");
  await t.shows("They pass.");
  await t.idle();
  t.expect("the conversation", await t.transcript(), "work\n\nWorking\n\nand the tests\n\nThey pass.");
  t.expect("nothing of it was sent", t.sent().includes("never mind"), false);
});

story("abort stops a silent model and hands back what was queued", async (t) => {
  await t.start([[say("Working"), { hang: true }], [say("Here again.")]]);
  await t.prompt("work");
  await t.shows("Working");
  await t.prompt("later", "Alt+Enter");
  await t.dock_shows("later");
  await t.press("Stop");
  await t.shows("Stopped.");
  await t.idle();
  await t.eventually("it is back in the box", async () => (await t.view.inputValue("textarea")) === "later");
  await t.view.fill("textarea", "");
  await t.view.press("textarea", "ArrowUp");
  t.expect("the latest", await t.view.inputValue("textarea"), "later");
  await t.view.press("textarea", "ArrowUp");
  t.expect("the one before", await t.view.inputValue("textarea"), "work");
  await t.view.press("textarea", "Enter");
  await t.shows("Here again.");
});

story("what was queued is handed back though the view was hidden", async (t) => {
  await t.start([[say("Working"), { hang: true }]]);
  await t.prompt("work");
  await t.shows("Working");
  await t.prompt("later", "Alt+Enter");
  await t.dock_shows("later");
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.command("Opal: Abort");
  await t.eventually("it has stopped", async () => !(await t.status_bar()).includes("waiting"));
  await t.show_view();
  await t.eventually("it is back in the box", async () => (await t.view.inputValue("textarea")) === "later");
});

/** What has the keyboard in the view. */
const focused = (t) =>
  t.view.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);

story("whoever is in the queue by keyboard stays there, whatever happens meanwhile", async (t) => {
  await t.start([[say("Working"), t.gate("go"), run("true")], [say("Still"), { hang: true }]], UNASKED);
  await t.prompt("work");
  await t.shows("Working");
  for (const text of ["one", "two", "three"]) {
    await t.prompt(text, "Alt+Enter");
    await t.dock_shows(text);
  }
  const withdraw = async () => {
    await t.page.keyboard.press("Enter");
    return t.view.$$eval(".queue li", (all) => all.length);
  };
  await t.view.focus('button[aria-label="Withdraw: two"]');
  await t.open_gate("go");
  await t.shows("Still");
  t.expect("the model has gone on", await focused(t), "Withdraw: two");
  await withdraw();
  await t.eventually("on to the next", async () => (await focused(t)) === "Withdraw: three");
  await withdraw();
  await t.eventually("the last: back to the one before", async () => (await focused(t)) === "Withdraw: one");
  await withdraw();
  await t.eventually("nothing is left: to the prompt", async () => (await focused(t)) === "Prompt");
});

story("whoever answers by keyboard goes on in the prompt box", async (t) => {
  await t.start([[run("true")], [say("Done.")]]);
  await t.prompt("run it");
  await t.dock_shows("true");
  await t.view.focus('.answers button:text-is("Allow")');
  await t.page.keyboard.press("Enter");
  await t.shows("Done.");
  t.expect("what has the focus", await focused(t), "Prompt");
});

story("whoever reviews by keyboard stays there", async (t) => {
  const lines = Array.from({ length: 40 }, (_, idx) => `line ${idx + 1}`);
  await t.file("a.txt", `${lines.join("\n")}\n`);
  await t.file("b.txt", "one\n");
  await t.start(
    [
      [read("a.txt"), read("b.txt")],
      [edit("a.txt", ["line 3\n", "LINE 3\n"], ["line 30\n", "LINE 30\n"])],
      [t.gate("go"), edit("b.txt", ["one", "ONE"])],
      [say("Done.")],
    ],
    FREELY,
  );
  await t.prompt("shout");
  await t.dock_shows("1 file\n");
  await t.view.click(".changes > summary");
  await t.view.click(".file summary .path");
  await t.view.focus('.hunk >> nth=0 >> button:text-is("Keep")');
  await t.open_gate("go");
  await t.shows("Done.");
  await t.dock_shows("2 files\n");
  t.expect("another file has changed", await focused(t), "Keep");
  await t.page.keyboard.press("Enter");
  await t.eventually("one is left", () => t.view.$$eval(".hunk:visible", (all) => all.length === 1).catch(() => false));
  t.expect("on to the next", await focused(t), "Keep");
  await t.page.keyboard.press("Enter");
  await t.dock_shows("1 file\n");
  t.expect("on to the next file", await focused(t), "b.txt+1 −1✓↶");
  await t.view.focus('button[aria-label="Keep the changes of b.txt"]');
  await t.page.keyboard.press("Enter");
  await t.eventually("nothing is left: to the prompt", async () => (await focused(t)) === "Prompt");
});

story("the last turn is undone", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("Done.")]], FREELY);
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  t.expect("done", t.on_disk("a.txt"), "ONE\n");
  await t.command("Opal: Undo Last Turn");
  await t.shows("Taken back: a.txt");
  t.expect("undone", t.on_disk("a.txt"), "one\n");
});

story("an undo is taken back", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("Done.")]], FREELY);
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  await t.command("Opal: Undo Last Turn");
  await t.eventually("undone", () => t.on_disk("a.txt") === "one\n");
  await t.shows("Taken back: a.txt");
  await t.command("Opal: Redo");
  await t.eventually("done again", () => t.on_disk("a.txt") === "ONE\n");
  await t.command("Opal: Redo");
  await t.notified("Nothing was taken back here");
});

story("the state is shown", async (t) => {
  await t.start([[say("Hello.")]]);
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.idle();
  await t.command("Opal: Show State");
  const dialog = await t.page.waitForSelector('.monaco-dialog-box:has-text("Permissions: ask")');
  t.expect("the model", (await dialog.textContent()).includes("scripted"), true);
});

story("changes are reviewed hunk by hunk", async (t) => {
  const lines = Array.from({ length: 40 }, (_, idx) => `line ${idx + 1}`);
  await t.file("a.txt", `${lines.join("\n")}\n`);
  await t.file("b.txt", "one\n");
  await t.start(
    [
      [read("a.txt"), read("b.txt")],
      [edit("a.txt", ["line 3\n", "LINE 3\n"], ["line 30\n", "LINE 30\n"])],
      [edit("b.txt", ["one", "ONE"])],
      [say("Done.")],
    ],
    FREELY,
  );
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  await t.dock_shows("2 files");
  await t.press("Review");
  await t.page.waitForSelector(".multiDiffEntry .line-insert");
  await t.view.click(".changes > summary");
  await t.view.click(".file summary .path");
  await t.screenshot("review");
  await t.view.click('.hunk >> nth=0 >> button:text-is("Undo")');
  await t.eventually("the hunk is undone", () => t.on_disk("a.txt").includes("line 3\n"));
  t.expect("the other stands", t.on_disk("a.txt").includes("LINE 30\n"), true);
  await t.view.click('button[aria-label="Keep the changes of a.txt"]');
  await t.dock_shows("1 file\n");
  await t.view.click('button[aria-label="Undo the changes of b.txt"]');
  await t.eventually("the file is undone", () => t.on_disk("b.txt") === "one\n");
  await t.eventually("nothing is left to review", () => t.view.$eval(".changes", (element) => element.hidden));
});

story("a diff that is open stays what it is when another of the same file is opened", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["one", "two"])], [edit("a.txt", ["two", "three"])], [say("Done.")]], {
    settings: { ...FREELY.settings, "workbench.editor.enablePreview": false },
  });
  await t.prompt("count");
  await t.shows("Done.");
  await t.idle();
  await t.press("Review");
  const compared = (tab, left) =>
    t.eventually(`${tab} compares with ${left}`, async () =>
      (await t.page.$$eval(`.tab.active[aria-label*="${tab}"]`, (all) => all.length)) === 1 &&
      (await t.page.$$eval(".editor-instance .editor.original .view-line", (all) => all[0]?.textContent)) === left);
  await compared("Changes of This Session", "one");
  await t.view.click('button:text-is("Open Diff") >> nth=1');
  await compared("Changed by Opal", "two");
  await t.page.click('.tab[aria-label*="Changes of This Session"]');
  await compared("Changes of This Session", "one");
});

story("lenses in the editor keep and undo a hunk", async (t) => {
  await t.file("a.txt", "one\ntwo\nthree\n");
  await t.start([[read("a.txt")], [edit("a.txt", ["two", "TWO"])], [say("Done.")]], FREELY);
  await t.edit("a.txt");
  await t.prompt("shout");
  await t.shows("Done.");
  await t.page.click('.codelens-decoration a:text-is("Undo")');
  await t.eventually("the hunk is undone", () => t.on_disk("a.txt") === "one\ntwo\nthree\n");
});

story("a reloaded window goes on with its conversation", async (t) => {
  await t.start([[say("Hello there.")], [say("Hello again.")]]);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  await t.view.fill("textarea", "half a thought");
  await t.reload();
  await t.shows("greet me\n");
  await t.shows("Hello there.");
  await t.eventually("what was being typed is there", async () => (await t.view.inputValue("textarea")) === "half a thought");
  await t.view.fill("textarea", "");
  await t.prompt("again");
  await t.shows("Hello again.");
  await t.model_was_told("Hello there.");
});

story("a resumed conversation shows its calls as they were", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start(
    [[think("Hm"), run("echo live")], [read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("Done.")]],
    UNASKED,
  );
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  const cards = () => t.view.$$eval(".call", (all) => all.map((card) => card.textContent));
  const before = await cards();
  t.expect("a card for each", before.length, 3);
  await t.reload();
  await t.shows("Done.");
  t.expect("the cards", await cards(), before);
  await t.press("Open Diff");
  await t.page.waitForSelector('.tab[aria-label*="Changed by Opal"]');
});

story("a conversation goes on after its server was killed", async (t) => {
  await t.start([[say("Working"), { hang: true }], [say("Here again.")]]);
  await t.prompt("work");
  await t.shows("Working");
  for (const pid of t.servers()) {
    process.kill(pid, "SIGKILL");
  }
  await t.shows("was started again");
  await t.idle();
  await t.shows("work\n");
  await t.prompt("go on");
  await t.shows("Here again.");
});

/** A server that is counted, and does not come up while the file `hold` is there. */
async function slow_server(t) {
  const hold = join(t.dir, "hold");
  const lines = [
    "#!/bin/sh",
    `if [ "$1" = lsp ]; then echo start >> '${t.dir}/starts'; while [ -e '${hold}' ]; do sleep 0.05; done; fi`,
    `exec '${process.env.OPAL_TEST_BIN}' "$@"`,
  ];
  await t.file("opal.sh", `${lines.join("\n")}\n`);
  chmodSync(join(t.dir, "opal.sh"), 0o755);
  return {
    options: { settings: { "opal.path": join(t.dir, "opal.sh") } },
    hold: () => t.file("hold", ""),
    go_on: () => rmSync(hold),
    starts: () => t.on_disk("starts").trim().split("\n").length,
    async starting() {
      await t.eventually("it is starting", async () => (await t.status_bar()).includes("starting"));
    },
    kill() {
      for (const pid of t.servers()) {
        process.kill(pid, "SIGKILL");
      }
    },
    async killed() {
      this.kill();
      await this.starting();
    },
  };
}

story("a prompt that is sent while its server starts again waits for that one", async (t) => {
  const server = await slow_server(t);
  await t.start([[say("Hello there.")], [say("Here again.")]], server.options);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  await server.hold();
  await server.killed();
  await t.prompt("go on");
  await t.eventually("another has been started", () => server.starts() === 2);
  await server.go_on();
  await t.shows("Here again.");
  await t.idle();
  t.expect("one prompt", (await t.transcript()).split("go on").length, 2);
  t.expect("and no other", server.starts(), 2);
  t.expect("one server", t.servers().length, 1);
});

story("a new session that is asked for while another starts is a new one", async (t) => {
  const server = await slow_server(t);
  await t.start([[say("Hello there.")], [say("Hello again.")]], server.options);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  await server.hold();
  await t.reload();
  await server.starting();
  await t.command("Opal: New Session");
  await server.go_on();
  await t.idle();
  await t.eventually("it is empty", () => t.view.$(".welcome"));
  await t.prompt("again");
  await t.shows("Hello again.");
  t.expect("the other is not told", t.sent().trim().split("\n").at(-1).includes("greet me"), false);
  t.expect("one server", t.servers().length, 1);
});

story("a server that does not come up is ended by a restart", async (t) => {
  const server = await slow_server(t);
  await t.start([[say("Hello there.")], [say("Here again.")]], server.options);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  await server.hold();
  await server.killed();
  await t.eventually("another has been started", () => server.starts() === 2);
  await t.command("Opal: Restart Server");
  await t.eventually("and one more", () => server.starts() === 3);
  t.expect("that is no error", await t.page.$$eval(".notification-toast", (all) => all.map((toast) => toast.textContent)), []);
  await server.go_on();
  await t.shows("Hello there.");
  await t.prompt("go on");
  await t.shows("Here again.");
  t.expect("one server", t.servers().length, 1);
});

story("a server that keeps ending is left alone until it is needed", async (t) => {
  const server = await slow_server(t);
  await t.start([[say("Hello there.")], [say("Here again.")]], server.options);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  for (let death = 1; death <= 3; death += 1) {
    await server.hold();
    await server.killed();
    await server.go_on();
    await t.eventually("it is there again", async () => !(await t.status_bar()).includes("starting"));
  }
  server.kill();
  await t.dock_shows("Opal's server keeps ending.");
  t.expect("none is started", t.servers(), []);
  // A setting that changes clears the problem.
  await t.file(".vscode/settings.json", JSON.stringify({ "opal.thinkingLevel": "low" }));
  await t.dock_shows_no("keeps ending");
  await t.prompt("go on");
  await t.shows("Here again.");
  await t.shows("Hello there.");
});

story("an error is shown with what can be done", async (t) => {
  await t.start([]);
  await t.prompt("work");
  await t.eventually("an error is there", () => t.view.$(".log .note.error"));
  await t.idle();
  await t.shows("the script has no answer left");
  await t.shows("or start a new session; else check the model's name and its api.");
  await t.screenshot("error");
});

story("a missing server is said, with a button to the setting", async (t) => {
  await t.start([], { settings: { "opal.path": "/nowhere/opal" } });
  await t.prompt("work");
  await t.dock_shows("Opal's server cannot be run: /nowhere/opal");
  t.expect("nothing typed is lost", await t.view.inputValue("textarea"), "work");
  await t.screenshot("missing");
  await t.press("Open the Setting");
  await t.page.waitForSelector('.settings-editor [data-key="opal.path"], .settings-editor .setting-item-label');
});

story("a prompt of the palette that does not reach the model is not lost", async (t) => {
  await t.start([], { settings: { "opal.path": "/nowhere/opal" } });
  await t.command("Opal: Prompt…");
  await t.input("What is to be done?", "work");
  await t.dock_shows("Opal's server cannot be run: /nowhere/opal");
  await t.eventually("it is in the box", async () => (await t.view.inputValue("textarea")) === "work");
});

story("what a folder sets starts no program and widens no mode", async (t) => {
  await t.file("evil.sh", `#!/bin/sh\ntouch '${t.dir}/owned'\nexec '${process.env.OPAL_TEST_BIN}' "$@"\n`);
  chmodSync(join(t.dir, "evil.sh"), 0o755);
  await t.start([[run("touch ran")], [say("As you wish.")]], {
    folder: {
      "opal.path": join(t.dir, "evil.sh"),
      "opal.permissionMode": "full",
      "opal.environment": { OPAL_PERMISSION_MODE: "full", OPAL_DATA_DIR: join(t.dir, "data") },
    },
  });
  await t.prompt("run it");
  await t.press("Deny");
  await t.shows("As you wish.");
  t.expect("the folder's program", t.on_disk("owned"), undefined);
  t.expect("the command", t.on_disk("ran"), undefined);
  t.expect("the folder's data directory", t.on_disk("data/sessions.db"), undefined);
});

story("files, the selection and images go along", async (t) => {
  await t.file("src/price.rs", "fn total() {\n    1.19\n}\n");
  await t.file("readme.md", "hello\n");
  await t.start([[say("I see.")]]);
  await t.edit("price.rs");
  await t.page.keyboard.press("Control+Home");
  await t.page.keyboard.press("Shift+ArrowDown");
  await t.view.click("textarea");
  await t.page.keyboard.type("look at @read");
  await t.view.waitForSelector('.offers [aria-selected="true"]:text-is("readme.md")');
  await t.page.keyboard.press("Enter");
  await t.page.keyboard.type("and @sel");
  await t.view.waitForSelector('.offers [aria-selected="true"]:has-text("price.rs:1")');
  await t.screenshot("mentions");
  await t.page.keyboard.press("Enter");
  await t.view.evaluate(() => {
    const bytes = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "shot.png", { type: "image/png" }));
    document.querySelector("textarea").dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true, bubbles: true }));
  });
  await t.view.waitForSelector('.chip:has-text("image 1")');
  await t.page.keyboard.press("Enter");
  await t.shows("I see.");
  await t.shows("readme.md");
  await t.model_was_told("hello");
  await t.model_was_told("fn total");
  await t.model_was_told("image/png");
});

story("files that a search leaves out are not offered", async (t) => {
  await t.file("src/price.rs", "");
  await t.file("node_modules/dear/price.js", "");
  await t.file("old/price.txt", "");
  await t.start([], { settings: { "search.exclude": { "**/node_modules": true, "{old,older}": true } } });
  await t.view.click("textarea");
  await t.page.keyboard.type("@price");
  await t.view.waitForSelector('.offers [aria-selected="true"]');
  t.expect("the files", await t.view.$$eval(".offers li", (all) => all.map((li) => li.textContent)), ["src/price.rs"]);
});

story("a picture that is too large is said, and one that comes with its text is not taken for it", async (t) => {
  await t.start([]);
  const paste = (n_bytes, text) =>
    t.view.evaluate(
      ([n_bytes, text]) => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(n_bytes)], "shot.png", { type: "image/png" }));
        if (text) {
          clipboardData.setData("text/plain", text);
        }
        const event = new ClipboardEvent("paste", { clipboardData, cancelable: true, bubbles: true });
        return document.querySelector("textarea").dispatchEvent(event);
      },
      [n_bytes, text],
    );
  t.expect("the text is left to the box", await paste(10, "a\tb"), true);
  t.expect("the picture is taken", await paste(11_000_000), false);
  await t.notified("more than 3 MB is not attached");
  t.expect("nothing is attached", await t.view.$$eval(".chip", (all) => all.length), 0);
});

story("a picture that was not sent yet is kept while the view is hidden, and by a reloaded window", async (t) => {
  await t.start([[say("I see.")]]);
  const chips = () => t.view.$$eval(".chips:not(.log *) .chip", (all) => all.map((chip) => chip.firstChild.textContent));
  // What follows the end of a picture belongs to nobody, and tells them apart.
  const paste = (n) =>
    t.view.evaluate((bytes) => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([new Uint8Array(bytes)], "shot.png", { type: "image/png" }));
      const event = new ClipboardEvent("paste", { clipboardData, cancelable: true, bubbles: true });
      document.querySelector("textarea").dispatchEvent(event);
    }, [...Buffer.from(PNG, "base64"), n, 0]);
  const become = (what, expected) =>
    t.eventually(what, async () => JSON.stringify(await chips()) === JSON.stringify(expected));
  await paste(1);
  await become("one", ["image 1"]);
  await paste(2);
  await become("two", ["image 1", "image 2"]);
  await t.view.click('button[aria-label="Remove image 1"]');
  await paste(3);
  await become("a name is given once", ["image 2", "image 1"]);
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.show_view();
  await become("kept while it is hidden", ["image 2", "image 1"]);
  await t.reload();
  await become("kept by a reloaded window", ["image 2", "image 1"]);
  await t.prompt("look");
  await t.shows("I see.");
  await t.model_was_told("ErkJgggIA");
  await t.model_was_told("ErkJgggMA");
  await t.page.click('.activitybar a[aria-label^="Explorer"]');
  await t.show_view();
  await t.shows("I see.");
  await become("sent is sent", []);
});

story("a session is found by its words and resumed", async (t) => {
  await t.start([[say("The tax is 7 %.")], [say("A poem.")], [say("Still 7 %.")]]);
  await t.prompt("what is the tax?");
  await t.shows("The tax is 7 %.");
  await t.idle();
  await t.command("Opal: New Session");
  await t.eventually("it is empty", () => t.view.$(".welcome"));
  await t.prompt("a poem please");
  await t.shows("A poem.");
  await t.idle();
  await t.command("Opal: Resume Session…");
  await t.page.waitForSelector('.quick-input-list [aria-label*="a poem please"]');
  await t.page.keyboard.type("tax");
  await t.eventually("only the one", async () => (await t.page.$$(".quick-input-list .monaco-list-row")).length === 1);
  await t.screenshot("sessions");
  await t.page.keyboard.press("Enter");
  await t.shows("The tax is 7 %.");
  await t.prompt("and now?");
  await t.shows("Still 7 %.");
  await t.model_was_told("what is the tax?");
});

story("going back before a prompt brings files, transcript and prompt back", async (t) => {
  await t.file("a.txt", "one\n");
  await t.start(
    [[say("Hello.")], [read("a.txt")], [edit("a.txt", ["one", "ONE"])], [say("Done.")], [say("As you like.")]],
    FREELY,
  );
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.idle();
  await t.prompt("shout");
  await t.shows("Done.");
  await t.idle();
  await t.command("Opal: Branch From Here…");
  await t.choose("shout");
  await t.choose("Take back what was changed");
  await t.eventually("it is to be said anew", async () => (await t.view.inputValue("textarea")) === "shout");
  await t.eventually("the file stands as before", () => t.on_disk("a.txt") === "one\n");
  await t.eventually("the conversation ends before it", async () => (await t.transcript()).endsWith("Hello."));
  await t.view.fill("textarea", "");
  await t.prompt("whisper");
  await t.shows("As you like.");
  t.expect("the other branch is not told", t.sent().trim().split("\n").at(-1).includes("shout"), false);
});

story("signing in shows a code, and the next prompt works", async (t) => {
  await t.start([], { github: true });
  await t.prompt("greet me");
  await t.dock_shows("Sign In");
  t.expect("nothing typed is lost", await t.view.inputValue("textarea"), "greet me");
  await t.screenshot("signed-out");
  await t.press("Sign In");
  await t.page.click('.monaco-dialog-box:has-text("open the external website") .monaco-button:text-is("Cancel")');
  await t.notified("which is in the clipboard, at");
  await t.screenshot("sign-in");
  await t.notified("signed in to GitHub Copilot as octo-fixture");
  await t.prompt("");
  await t.shows("Hello from a double.");
  await t.command("Opal: Sign Out");
  await t.notified("signed out");
  await t.prompt("again");
  await t.shows("Sign in, from the editor or with opal login");
});

story("a conversation is compacted, and its summary can be read", async (t) => {
  const long = "0123456789 ".repeat(10_000);
  await t.start([[say("First.")], [say(long, "second")], [t.gate("go"), say("## Goal\nTo talk.")], [say("Third.")]]);
  await t.prompt("one");
  await t.shows("First.");
  await t.idle();
  await t.prompt("two");
  await t.shows("second");
  await t.idle();
  await t.command("Opal: Compact Conversation");
  await t.dock_shows("compacting");
  await t.open_gate("go");
  await t.shows("Compacted to ");
  await t.view.click('.note summary:text-is("Summary")');
  await t.shows("To talk.");
  await t.idle();
  await t.prompt("three");
  await t.shows("Third.");
  await t.model_was_told("To talk.");
});

story("the running turn is steered and followed up from the palette", async (t) => {
  await t.start([[say("Working"), t.gate("go"), run("true")], [say("Shorter then.")], [say("They pass.")]], UNASKED);
  await t.command("Opal: Prompt…");
  await t.input("What is to be done?", "work");
  await t.shows("Working");
  await t.command("Opal: Steer the Running Turn…");
  await t.input("next safe point", "shorter");
  await t.dock_shows("shorter");
  await t.command("Opal: Queue a Follow-Up…");
  await t.input("when the running turn has ended", "and the tests");
  await t.dock_shows("and the tests");
  await t.open_gate("go");
  await t.shows("They pass.");
  await t.shows("Shorter then.");
});

story("a prompt is about the selection", async (t) => {
  await t.file("a.txt", "one\ntwo\nthree\n");
  await t.start([[say("I see.")]]);
  await t.edit("a.txt");
  await t.page.keyboard.press("Control+Home");
  await t.page.keyboard.press("ArrowDown");
  await t.page.keyboard.press("Shift+ArrowDown");
  await t.command("Opal: Prompt About Selection…");
  await t.view.waitForSelector('.chip:has-text("a.txt:2")');
  await t.eventually("the prompt has the focus", () => t.view.evaluate(() => document.activeElement.matches("textarea")));
  await t.page.keyboard.insertText("what is this?");
  await t.page.keyboard.press("Enter");
  await t.shows("I see.");
  await t.model_was_told("two");
  t.expect("and nothing else of it", t.sent().includes("three"), false);
});

story("a restarted server goes on with the session", async (t) => {
  await t.start([[say("Hello there.")], [say("Hello again.")]]);
  await t.prompt("greet me");
  await t.shows("Hello there.");
  await t.idle();
  const [before] = t.servers();
  await t.command("Opal: Restart Server");
  await t.eventually("it is another one", () => t.servers().length === 1 && t.servers()[0] !== before);
  await t.shows("Hello there.");
  await t.idle();
  await t.prompt("again");
  await t.shows("Hello again.");
  await t.model_was_told("Hello there.");
});

story("commands are given in the prompt box", async (t) => {
  await t.start([[say("Hello.")], [say("Hello there.")]]);
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.idle();
  await t.view.click("textarea");
  await t.page.keyboard.type("/");
  await t.view.waitForSelector('.offers li:has-text("Undo Last Turn")');
  t.expect("only what makes sense", await t.view.$$eval(".offers", ([list]) => list.textContent.includes("Abort")), false);
  await t.screenshot("commands");
  await t.page.keyboard.type("thin");
  await t.view.waitForSelector('.offers [aria-selected="true"]:has-text("Select Thinking Level…")');
  await t.page.keyboard.press("Enter");
  await t.choose("high");
  await t.dock_shows("thinks: high");
  t.expect("nothing is left of it", await t.view.inputValue("textarea"), "");
  await t.view.click("textarea");
  await t.page.keyboard.type("/usr/bin is a folder");
  await t.page.keyboard.press("Enter");
  await t.shows("Hello there.");
  await t.model_was_told("/usr/bin is a folder");
  await t.model_was_told('"effort":"high"');
});

story("who gives a command in the prompt box types on there, whatever is chosen", async (t) => {
  await t.file("price.ts", "const rate = 1.19;\n");
  await t.start([[say("Hello.")]]);
  await t.edit("price.ts");
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.idle();
  const goes_on = async (how, word) => {
    await t.page.waitForSelector(".quick-input-widget", { state: "hidden" });
    await t.eventually(`the keyboard is in the prompt box after ${how}`, () =>
      t.view.evaluate(() => document.hasFocus() && document.activeElement?.matches("textarea[aria-label=Prompt]")),
    );
    await t.page.keyboard.type(`${word} `);
    await t.eventually(`${word} is in the prompt box`, async () => (await t.view.inputValue("textarea")).endsWith(`${word} `));
  };
  const give = async (command) => {
    await t.view.fill("textarea", "");
    await t.view.click("textarea");
    await t.page.keyboard.type(command);
    await t.view.waitForSelector('.offers [aria-selected="true"]');
    await t.page.keyboard.press("Enter");
    await t.page.waitForSelector(".quick-input-widget:visible input");
  };
  await give("/model");
  await t.page.waitForSelector('.quick-input-list [aria-label*="scripted"]');
  await t.page.keyboard.press("Escape");
  await goes_on("Escape", "one");
  await give("/thin");
  await t.choose("high");
  await t.dock_shows("thinks: high");
  await goes_on("choosing", "two");
  await t.view.click('button:text-is("thinks: high")');
  await t.choose("low");
  await t.dock_shows("thinks: low");
  await goes_on("a click below the box", "three");
  await t.view.click('button:text-is("asks")');
  await t.page.waitForSelector(".quick-input-widget:visible input");
  await t.page.keyboard.press("Escape");
  await goes_on("a click and Escape", "four");
  t.expect("the open file is unchanged", await t.text(), "const rate = 1.19;\n");
  t.expect("no file is unsaved", await t.page.$$eval(".tab.dirty", (all) => all.length), 0);
});

story("nothing of the model hides or turns around in the view", async (t) => {
  await t.start([[say("an\u202eswer 👩\u200d🚀"), run("echo \u202eok\u200b")], [say("Done.")]]);
  await t.prompt("go");
  await t.dock_shows("echo \\u{202e}ok\\u{200b}");
  await t.shows("an\\u{202e}swer 👩\u200d🚀");
  await t.press("Deny");
  await t.shows("Done.");
  t.expect("nothing is hidden", /[\u202e\u200b]/.test(await t.view.evaluate(() => document.body.textContent)), false);
});

story("symbols and problems are attached", async (t) => {
  await t.file("price.ts", "export function total(net: number): number {\n  return net * rate;\n}\nconst other = 1;\n");
  await t.file("b.json", '{"price": 1.19,,}\n');
  await t.start([[say("I see.")]]);
  await t.edit("b.json");
  await t.page.waitForSelector(".squiggly-error", { state: "attached" });
  await t.edit("price.ts");
  await t.page.waitForSelector(".squiggly-error", { state: "attached" });
  await t.view.click("textarea");
  await t.page.keyboard.type("look at @tot");
  await t.view.waitForSelector('.offers [aria-selected="true"]:has-text("total (price.ts:1)")');
  await t.page.keyboard.press("Enter");
  await t.page.keyboard.type("and @prob");
  await t.view.waitForSelector('.offers li:has-text("1 problem in price.ts")');
  await t.screenshot("offers");
  await t.view.click('.offers li:has-text("2 problems in 2 files")');
  await t.page.keyboard.press("Enter");
  await t.shows("I see.");
  await t.model_was_told("look at `total` and");
  await t.model_was_told("return net * rate;");
  await t.model_was_told("price.ts:2: error: Cannot find name 'rate'. (ts)");
  await t.model_was_told("b.json:1: error");
  t.expect("and nothing else of the file", t.sent().includes("const other"), false);
});

story("the agent asks the editor's language servers", async (t) => {
  await t.file("tsconfig.json", '{"files": ["price.ts", "cart.ts"]}');
  await t.file("price.ts", "export function total(net: number) {\n  return net * 1.19;\n}\n");
  await t.file("cart.ts", 'import { total } from "./price";\n\nexport const paid = total(1);\n');
  const at = { path: "price.ts", line: 1, symbol: "total" };
  await t.start(
    [
      [call("references", at)],
      [call("definition", { path: "cart.ts", line: 3, symbol: "total" })],
      [call("symbols", { path: "cart.ts" })],
      [call("rename", { ...at, new_name: "sum" })],
      [edit("price.ts", ["net *", "nett *"]), call("diagnostics", {})],
      [edit("price.ts", ["nett *", "net *"]), call("diagnostics", { paths: ["price.ts", "cart.ts"] })],
      [say("Done.")],
    ],
    FREELY,
  );
  await t.prompt("rename it");
  await t.shows("Done.");
  await t.idle();
  await t.model_was_told("cart.ts:3: export const paid = total(1);");
  await t.model_was_told("price.ts:1: export function total(net: number) {");
  await t.model_was_told("cart.ts:3: variable paid");
  await t.model_was_told("price.ts:2: error 2552 (ts): Cannot find name 'nett'. Did you mean 'net'?");
  await t.model_was_told("nothing is wrong");
  t.expect("renamed", t.on_disk("cart.ts"), 'import { sum } from "./price";\n\nexport const paid = sum(1);\n');
  t.expect("renamed here too", t.on_disk("price.ts"), "export function sum(net: number) {\n  return net * 1.19;\n}\n");
  await t.screenshot("language");
});

story("all folders of a workspace are worked on", async (t) => {
  await t.file("shop/a.txt", "one\n");
  await t.file("books/b.txt", "two\n");
  await t.start([[read("../books/b.txt")], [edit("../books/b.txt", ["two", "TWO"])], [say("Done.")]], {
    ...FREELY,
    folders: ["shop", "books"],
  });
  await t.view.click("textarea");
  await t.page.keyboard.type("shout in @b.t");
  await t.view.waitForSelector('.offers [aria-selected="true"]:text-is("books/b.txt")');
  await t.page.keyboard.press("Enter");
  await t.page.keyboard.press("Enter");
  await t.shows("Done.");
  t.expect("unasked, for it is inside", t.on_disk("books/b.txt"), "TWO\n");
  await t.idle();
  await t.press("Review");
  await t.page.waitForSelector(".multiDiffEntry .line-insert");
});

story("a secret is typed in a box that does not show it", async (t) => {
  await t.start([], { settings: { "opal.path": SECRETIVE } });
  await t.prompt("go");
  await t.dock_shows("The passphrase of the key?");
  await t.press("Answer…");
  await t.page.waitForSelector('.quick-input-widget input[type="password"]');
  await t.input("The passphrase", "swordfish");
  await t.shows("It has 9 letters.");
  t.expect("it is shown nowhere", (await t.transcript()).includes("swordfish"), false);
});

story("commands are offered when they make sense", async (t) => {
  await t.start([[say("Working"), { hang: true }]]);
  t.expect("no session to compact", await t.offers("Opal: Compact Conversation"), false);
  t.expect("nothing to abort", await t.offers("Opal: Abort"), false);
  await t.prompt("work");
  await t.shows("Working");
  t.expect("abort", await t.offers("Opal: Abort"), true);
  t.expect("no new session while it works", await t.offers("Opal: New Session"), false);
  await t.command("Opal: Abort");
  await t.shows("Stopped.");
});

story("the permission mode and the model are chosen", async (t) => {
  await t.start([[say("Hello.")], [run("touch ran")], [say("Done.")]]);
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.idle();
  await t.command("Opal: Select Permission Mode…");
  await t.choose("Everything");
  await t.dock_shows("never asks");
  await t.command("Opal: Select Model…");
  await t.page.waitForSelector('.quick-input-list [aria-label*="scripted"]');
  await t.screenshot("models");
  await t.page.keyboard.press("Escape");
  await t.prompt("run it");
  await t.shows("Done.");
  t.expect("unasked", t.on_disk("ran"), "");
});

story("the meter shows how full the context is, what it cost, and where it is compacted", async (t) => {
  await t.start([[say("Hello.")]], {
    config: (url) => `model = "work/scripted"
[providers.work]
api = "responses"
base_url = "${url}"
models = [{ id = "scripted", context_window = 1000, price = { input = 1000.0, output = 1000.0 } }]
`,
  });
  await t.prompt("greet me");
  await t.shows("Hello.");
  await t.dock_shows("110 / 1k · $0.11");
  t.expect("the mark of the compaction", await t.view.$eval(".limit", (mark) => mark.style.left), "75%");
  await t.eventually("the status bar tells", async () => (await t.status_bar()).includes("11 %"));
  await t.screenshot("meter");
});

story("the light bulb explains a selection and fixes a problem", async (t) => {
  await t.file("a.txt", "mysterious\n");
  await t.file("b.json", '{"price": 1.19,,}\n');
  await t.start([[say("It is a word.")], [say("One comma too many.")]]);
  await t.edit("a.txt");
  await t.page.keyboard.press("Control+a");
  await t.choose_action("Explain with Opal");
  await t.shows("It is a word.");
  await t.model_was_told("mysterious");
  await t.idle();
  await t.edit("b.json");
  await t.page.waitForSelector(".squiggly-error", { state: "attached" });
  await t.page.keyboard.press("F8");
  await t.page.keyboard.press("Escape");
  await t.choose_action("Fix with Opal");
  await t.shows("One comma too many.");
  await t.model_was_told("b.json:1: error");
});

const MESSAGES = 5000;

story("a session of 5,000 messages opens and scrolls", async (t) => {
  const lines = [
    { session: { version: 1, id: "bigbigbigbigbig2", working_dir: t.dir, model: "env/scripted", created_at_ms: 1, updated_at_ms: 2, leaf: MESSAGES, settings: { json: {} } } },
  ];
  for (let id = 1; id <= MESSAGES; id += 1) {
    const parent = id > 1 ? { parent: id - 1 } : {};
    const [kind, json] =
      id % 2 === 1
        ? ["user", { turn_id: `t${id}`, text: `Question ${id}` }]
        : ["assistant", {
            message_id: `m${id}`, provider: "env", model: "scripted", response_id: `r${id}`, stop: "stop",
            blocks: [{ type: "text", text: `## Answer ${id}\n\nSome *words* of it, and \`code\`:\n\n\`\`\`rust\nfn answer() -> u32 {\n    ${id}\n}\n\`\`\`\n\n- one\n- two\n` }],
            usage: { input: 100, cached: 0, cache_write: 0, output: 10, reasoning: 0, total: 110 },
          }];
    lines.push({ entry: { id, ...parent, kind, created_at_ms: id, payload: { json }, search_text: json.text ?? "" } });
  }
  lines.push({ end: { n_entries: MESSAGES, n_blobs: 0 } });
  await t.start([[say("Still here.")]]);
  execFileSync(process.env.OPAL_TEST_BIN, ["sessions", "import"], {
    input: `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`,
    env: { ...process.env, OPAL_DATA_DIR: join(t.scratch, "data") },
  });
  await t.command("Opal: Resume Session…");
  await t.page.waitForSelector('.quick-input-list [aria-label*="5000 entries"]');
  const begun = Date.now();
  await t.page.keyboard.press("Enter");
  await t.shows(`Answer ${MESSAGES}`);
  t.figures.push(`shown after ${Date.now() - begun} ms`);
  await t.screenshot("long");
  const scrolled = await t.view.evaluate(scroll_up);
  t.figures.push(describe_frames("scrolling up", scrolled.frames), `${scrolled.nodes} items in the page`);
  t.expect("only a part is in the page", scrolled.nodes < 400, true);
  await t.view.click(".to-end");
  await t.prompt("still there?");
  await t.shows("Still here.");
});

/** Scrolls 20,000 pixels up, a bit each frame. */
async function scroll_up() {
  const log = document.querySelector(".log");
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < 200; step += 1) {
    log.scrollTop -= 100;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return { frames, nodes: log.children.length };
}

const DELTAS = 20_000;

story("20,000 pieces of an answer stream smoothly", async (t) => {
  const words = ["Lorem ", "ipsum ", "*dolor* ", "`sit` ", "amet,\n", "consectetur.\n\n", "- adipiscing ", "elit\n\n", "```rust\nfn ", "a() {}\n```\n\n"];
  const pieces = Array.from({ length: DELTAS }, (_, idx) => words[Math.floor(idx / 7) % words.length]);
  await t.start([[t.gate("go"), say(...pieces, "\n\nThe end.")]]);
  await t.prompt("a long answer");
  await t.shows("a long answer");
  await t.view.evaluate(() => {
    window.frames_seen = [];
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      window.frames_seen.push(now - last);
      last = now;
      window.ticking = requestAnimationFrame(tick);
    };
    tick();
  });
  const begun = Date.now();
  await t.open_gate("go");
  await t.eventually("the end is there", () => t.view.$eval(".log", (log) => log.lastElementChild.textContent.trimEnd().endsWith("The end.")), 120_000);
  t.figures.push(`${DELTAS} pieces in ${Date.now() - begun} ms`);
  t.figures.push(describe_frames("while they came", await t.view.evaluate(() => {
    cancelAnimationFrame(window.ticking);
    return window.frames_seen;
  })));
  await t.idle();
});

function describe_frames(what, frames) {
  const sorted = [...frames].sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(1);
  return `${what}: ${frames.length} frames, median ${at(0.5)} ms, 95 % ${at(0.95)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms`;
}

/** What the guides show as well. */
const LOOKS = [
  ["dark", "Default Dark Modern", 1200],
  ["light", "Default Light Modern", 1200],
  ["contrast", "Default High Contrast", 1200],
  ["contrast-light", "Default High Contrast Light", 1200],
  ["narrow", "Default Dark Modern", 560],
];
const PRICE = `/// What a customer pays.
fn total(net: f64) -> f64 {
    net * 1.19
}

fn main() {
    println!("{:.2}", total(100.0));
}
`;
const PLAN = `The rate stands in \`src/price.rs\`, as a bare number. Two things are to be done:

1. the factor becomes **1.07**
2. it gets a name

\`\`\`rust
const RATE: f64 = 1.07; // books
\`\`\`

| item | rate |
|---|--:|
| books | 7 % |
`;
for (const [look, theme, width] of LOOKS) {
  story(`it can be read: ${look}`, async (t) => {
    await t.file("src/price.rs", PRICE);
    await t.start(
      [
        [think("**Looking for the rate**\n\nIt is in price.rs."), read("src/price.rs")],
        [say(PLAN), edit("src/price.rs", ["/// What", "const RATE: f64 = 1.07;\n\n/// What"], ["net * 1.19", "net * RATE"])],
        [say("Done: books are taxed with 7 %.")],
      ],
      { settings: { "workbench.colorTheme": theme }, viewport: { width, height: 860 } },
    );
    await t.edit("price.rs");
    await t.prompt("The tax on books is 7 % now.");
    await t.dock_shows("Edit src/price.rs");
    await t.press("Show Diff");
    await t.page.waitForSelector(".monaco-diff-editor .line-insert", { state: "attached" });
    await t.screenshot(`look-${look}`);
    await t.press("Allow");
    await t.shows("Done: books");
    await t.idle();
    await t.press("Review");
    await t.page.waitForSelector(".multiDiffEntry .line-insert");
    await t.screenshot(`look-${look}-done`);
  });
}
