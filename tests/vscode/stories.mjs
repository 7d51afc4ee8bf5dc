// What a user does, and what comes of it.
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

story("a prompt streams its answer into the view", async (t) => {
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
