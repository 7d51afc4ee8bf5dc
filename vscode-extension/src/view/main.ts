/** The page of the view: holds what the extension sends until the next frame, and shows it then. */
import type { Patch, Status, ToView } from "../items";
import { waiting } from "../words";
import { Changes } from "./changes";
import { Composer } from "./composer";
import { h } from "./dom";
import { take } from "./frames";
import { post } from "./host";
import { Questions } from "./questions";
import { StatusLine } from "./status";
import { Transcript } from "./transcript";

/** Characters that a frame shows more of, so that a lot at once does not stop the page. */
const MOST_TEXT = 6_000;

const transcript = new Transcript(
  h(
    "div",
    { class: "welcome" },
    h("h1", {}, "Opal"),
    h("p", {}, "Say what is to be done. Opal reads what you have open as it stands, unsaved or not."),
    h(
      "ul",
      {},
      h("li", {}, h("kbd", {}, "Enter"), " sends, ", h("kbd", {}, "Shift+Enter"), " begins a line"),
      h("li", {}, h("kbd", {}, "@"), " attaches files, symbols, the selection, problems"),
      h("li", {}, h("kbd", {}, "/"), " gives a command"),
      h(
        "li",
        {},
        "While it works, ",
        h("kbd", {}, "Enter"),
        " steers, ",
        h("kbd", {}, "Alt+Enter"),
        " queues",
      ),
      h("li", {}, h("kbd", {}, "↑"), " brings back what you said before"),
    ),
  ),
);
const composer = new Composer(() => transcript.follow());
const to_prompt = () => composer.focus();
const questions = new Questions(to_prompt);
const changes = new Changes(to_prompt);
const status_line = new StatusLine(to_prompt);
/** Read out by screen readers. */
const news = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
const alarm = h("div", { class: "unseen", role: "alert" });

document.body.append(
  transcript.element,
  h(
    "div",
    { class: "dock" },
    status_line.problem,
    questions.element,
    changes.element,
    status_line.queue,
    status_line.now,
    composer.element,
    status_line.footer,
  ),
  news,
  alarm,
);

let patches: Patch[] = [];
let status: Status | undefined;
let shown: Status | undefined;
let is_waiting = false;

function show_soon(): void {
  if (is_waiting) {
    return;
  }
  is_waiting = true;
  requestAnimationFrame(() => {
    is_waiting = false;
    const taken = take(patches, MOST_TEXT);
    if (taken.length > 0) {
      transcript.apply(taken);
    }
    if (patches.length > 0) {
      show_soon();
      return;
    }
    if (status) {
      show_status(status);
      status = undefined;
    }
  });
}

function show_status(now: Status): void {
  status_line.show(now);
  questions.show(now.questions);
  composer.set_running(now.state === "running");
  const asked = now.questions.at(-1);
  if (asked && !shown?.questions.some(({ question_id }) => question_id === asked.question_id)) {
    alarm.textContent = `Opal asks: ${asked.kind === "confirm" ? asked.title : asked.prompt}`;
  }
  if (shown?.state === "running" && now.state === "idle") {
    news.textContent = "Opal is done.";
  } else if (shown && waiting(shown) !== waiting(now)) {
    news.textContent = waiting(now);
  }
  shown = now;
}

window.addEventListener("message", ({ data }: MessageEvent<ToView>) => {
  switch (data.type) {
    case "reset":
      patches = [];
      status = undefined;
      transcript.reset(data.items);
      show_status(data.status);
      return;
    case "patch":
      patches.push(...data.patches);
      status = data.status ?? status;
      show_soon();
      return;
    case "changes":
      changes.show(data.files, data.ran_commands);
      return;
    case "offers":
      composer.show_offers(data.query, data.offers);
      return;
    case "attach":
      composer.attach(data.mentions);
      return;
    case "restore":
      composer.restore(data.text);
      return;
    case "focus":
      composer.focus();
  }
});

// Pages open outside, files in the editor; nothing is loaded here.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (link) {
    event.preventDefault();
    event.stopPropagation();
    post({ type: "open", href: link.getAttribute("href") ?? "" });
  }
});

post({ type: "ready" });
