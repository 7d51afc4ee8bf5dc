/** What goes on, what waits, and how full the context is. */
import type { Problem, Status } from "../items";
import type { QueuedMessage } from "../protocol";
import { about, count } from "../session";
import { waiting } from "../words";
import { button, h, icon_button, prose } from "./dom";
import { post } from "./host";
import { keeping_focus, List, type Row } from "./list";

const MODES: Record<string, string> = {
  ask: "asks",
  auto_edit: "edits freely",
  full: "never asks",
  read_only: "read only",
};

export class StatusLine {
  /** Above the prompt box. */
  readonly now = h("div", { class: "now", hidden: true });
  readonly queue = h("ul", { class: "queue", "aria-label": "Queue", hidden: true });
  readonly problem = h("div", { class: "note error problem", role: "alert", hidden: true });
  /** Below it. */
  readonly footer = h("footer");
  private readonly waits = h("span", { class: "waits" });
  private readonly meter = h("div", { class: "meter", role: "meter", "aria-label": "Context", hidden: true });
  private readonly used = h("div", { class: "used" });
  private readonly limit = h("div", { class: "limit", hidden: true });
  private readonly numbers = h("span", { class: "tokens" });
  private readonly model = setting("Model", "opal.selectModel");
  private readonly thinking = setting("Thinking level", "opal.selectThinking");
  private readonly mode = setting("Permissions", "opal.selectPermissions");
  private readonly queued = new List<QueuedMessage>(this.queue, ({ message_id }) => message_id, queued_row);
  private told: Problem | undefined;
  private awaited = "";
  private counting: ReturnType<typeof setInterval> | undefined;

  /** `otherwise`: where who is here by keyboard goes on when what there was to press is gone. */
  constructor(private readonly otherwise: () => void) {
    const stop = icon_button("■", "Stop", () => post({ type: "abort" }), "stop");
    stop.append(" Stop");
    this.now.append(h("span", { class: "pulse", "aria-hidden": "true" }), this.waits, stop);
    this.meter.append(this.used, this.limit);
    this.footer.append(
      h("div", { class: "settings" }, this.model, this.thinking, this.mode),
      h("div", { class: "context" }, this.meter, this.numbers),
    );
  }

  show(status: Status): void {
    keeping_focus(this.now, this.otherwise, () => this.show_waiting(status));
    keeping_focus(this.queue, this.otherwise, () => {
      this.queue.hidden = status.queue.length === 0;
      this.queued.show(status.queue);
    });
    keeping_focus(this.problem, this.otherwise, () => this.show_problem(status.problem));
    this.show_footer(status);
  }

  private show_problem(problem: Problem | undefined): void {
    if (JSON.stringify(problem) === JSON.stringify(this.told)) {
      return;
    }
    this.told = problem;
    this.problem.hidden = !problem;
    this.problem.replaceChildren(
      h("span", {}, ...prose(problem?.message ?? "")),
      problem?.hint ? h("span", { class: "hint" }, ...prose(problem.hint)) : "",
      problem?.command
        ? button(problem.label ?? "", () => post({ type: "command", command: problem.command ?? "" }), {
            class: "primary",
          })
        : "",
    );
  }

  private show_waiting(status: Status): void {
    const awaited = JSON.stringify([status.state, status.waiting_for]);
    if (awaited === this.awaited) {
      return; // what else is different is no reason to count anew
    }
    this.awaited = awaited;
    clearInterval(this.counting);
    const since = Date.now();
    const show = () => {
      const seconds = Math.round((Date.now() - since) / 1000);
      this.waits.textContent = `${waiting(status)}${seconds >= 5 ? ` (${seconds} s)` : ""}`;
      this.waits.title = this.waits.textContent;
    };
    this.now.hidden = waiting(status) === "";
    show();
    if (!this.now.hidden) {
      this.counting = setInterval(show, 1000);
    }
  }

  private show_footer({ usage, model, thinking_level, permission_mode, state }: Status): void {
    this.footer.hidden = state === "none";
    name(this.model, model?.replace(/^[^/]*\//, ""), model);
    name(this.thinking, model && `thinks: ${thinking_level ?? "default"}`, thinking_level);
    name(this.mode, permission_mode && (MODES[permission_mode] ?? permission_mode), permission_mode);
    const { used = 0, window, compact_at } = usage ?? {};
    this.meter.hidden = !window;
    if (window) {
      const percent = Math.min(100, (100 * used) / window);
      this.used.style.width = `${percent}%`;
      this.meter.classList.toggle("full", used >= 0.9 * (compact_at ?? window));
      this.meter.setAttribute("aria-valuenow", String(used));
      this.meter.setAttribute("aria-valuemax", String(window));
      this.meter.setAttribute("aria-valuetext", `${about(usage)}${used} of ${window} tokens`);
      this.limit.hidden = !compact_at;
      this.limit.style.left = `${(100 * (compact_at ?? 0)) / window}%`;
      this.meter.title = compact_at
        ? `The conversation is compacted at ${count(compact_at)} tokens`
        : "Tokens in the model's window";
    }
    const cost = typeof usage?.cost === "number" ? ` · $${usage.cost.toFixed(2)}` : "";
    this.numbers.textContent = used
      ? `${about(usage)}${count(used)}${window ? ` / ${count(window)}` : " tokens"}${cost}`
      : "";
    this.numbers.title = usage
      ? `The session: ${usage.input} tokens in, of them ${usage.cached} from the cache; ${usage.output} out`
      : "";
  }
}

function queued_row({ message_id, text, kind }: QueuedMessage): Row<QueuedMessage> {
  return {
    element: h(
      "li",
      {},
      h("span", { class: "tag" }, kind === "steering" ? "steers" : "next"),
      h("span", { class: "text", title: text }, text),
      icon_button("×", `Withdraw: ${text.slice(0, 60)}`, () => post({ type: "withdraw", message_id })),
    ),
    update() {},
  };
}

function setting(title: string, command: string): HTMLButtonElement {
  return button("", () => post({ type: "command", command }), { class: "link", title });
}

function name(setting_button: HTMLButtonElement, text: string | undefined, whole: string | undefined): void {
  setting_button.textContent = text ?? "";
  setting_button.hidden = !text;
  const what = setting_button.title.replace(/:.*/, "");
  setting_button.title = whole ? `${what}: ${whole}` : what;
}
