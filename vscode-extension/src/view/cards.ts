/** How each part of the conversation looks. */
import type { Item, TextField, ToolItem } from "../items";
import { printable } from "../words";
import { button, diff_lines, h, prose } from "./dom";
import { post } from "./host";
import { StreamedMarkdown } from "./stream";

/** Of longer output the end is shown, which is what matters; the model is told the whole. */
const MOST_OUTPUT = 40_000;

export interface Card {
  readonly element: HTMLElement;
  append(field: TextField, delta: string): void;
  /** Shows the item as it is now; false if it takes another card. */
  update(item: Item): boolean;
}

export function card(item: Item): Card {
  switch (item.kind) {
    case "user":
      return fixed(
        h(
          "article",
          { class: "user", "aria-label": item.steering ? "You, to the running turn" : "You" },
          item.steering && h("span", { class: "tag" }, "steered"),
          h("div", { class: "said" }, item.text),
          item.attachments &&
            item.attachments.length > 0 &&
            h(
              "div",
              { class: "chips" },
              ...item.attachments.map((name) => h("span", { class: "chip" }, name)),
            ),
        ),
      );
    case "assistant":
      return assistant(item);
    case "thinking":
      return thinking(item);
    case "tool":
      return new ToolCard(item);
    case "note":
      return fixed(
        h(
          "div",
          { class: `note ${item.tone}`, role: item.tone === "error" ? "alert" : undefined },
          h("span", {}, ...prose(item.text)),
          item.hint ? h("span", { class: "hint" }, ...prose(item.hint)) : undefined,
          item.detail
            ? h("details", {}, h("summary", {}, "Summary"), new StreamedMarkdown(item.detail, true).element)
            : undefined,
        ),
      );
  }
}

function fixed(element: HTMLElement): Card {
  return { element, append() {}, update: () => false };
}

function assistant(item: Extract<Item, { kind: "assistant" }>): Card {
  const text = new StreamedMarkdown(item.text, item.done);
  return {
    element: h(
      "article",
      { class: "assistant", "aria-label": "Opal" },
      text.element,
      item.interrupted ? h("div", { class: "note info" }, "Cut off.") : undefined,
    ),
    append: (_, delta) => text.append(delta),
    update(now) {
      if (now.kind !== "assistant") {
        return false;
      }
      if (now.done) {
        text.finish(now.text);
      }
      return true;
    },
  };
}

function thinking(item: Extract<Item, { kind: "thinking" }>): Card {
  const title = h("span", { class: "gist" });
  const label = h("span", {}, item.done ? "Thought" : "Thinking…");
  const body = h("div", { class: "thought" });
  let text = item.text;
  let shown: StreamedMarkdown | undefined;
  const element = h(
    "details",
    { class: "thinking", on: { toggle: () => show() } },
    h("summary", {}, label, " ", title),
    body,
  );
  const show = () => {
    if (element.open && !shown) {
      shown = new StreamedMarkdown(text, false);
      body.replaceChildren(shown.element);
    }
  };
  const name = () => {
    title.textContent = printable(/\*\*(.+?)\*\*(?![\s\S]*\*\*.+?\*\*)/.exec(text)?.[1] ?? "");
  };
  name();
  return {
    element,
    append(_, delta) {
      text += delta;
      shown?.append(delta);
      if (delta.includes("*")) {
        name();
      }
    },
    update(now) {
      if (now.kind !== "thinking") {
        return false;
      }
      text = now.text;
      shown?.finish(text);
      label.textContent = now.done ? "Thought" : "Thinking…";
      name();
      return true;
    },
  };
}

class ToolCard implements Card {
  readonly element: HTMLDetailsElement;
  private readonly sign = h("span", { class: "sign" });
  private readonly state = h("span", { class: "state" });
  private readonly body = h("div", { class: "body" });
  private readonly output = h("pre", { class: "output", tabindex: 0, "aria-label": "Output", hidden: true });
  /** The user has opened or closed it, and it stays so. */
  private touched = false;

  constructor(item: ToolItem) {
    const subject = subject_of(item);
    const summary = h(
      "summary",
      {
        on: {
          click: () => {
            this.touched = true;
          },
        },
      },
      this.sign,
      h("span", { class: "tool" }, item.tool),
      h("span", { class: "subject", title: subject }, subject),
      this.state,
    );
    this.element = h("details", { class: "call" }, summary, this.body);
    const rest = rest_of(item);
    if (rest) {
      this.body.append(h("pre", { class: "arguments", tabindex: 0, "aria-label": "Arguments" }, rest));
    }
    this.body.append(this.output);
    if (item.output !== "") {
      this.append("output", item.output);
    }
    this.show(item);
  }

  append(_: TextField, delta: string): void {
    const follows = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 8;
    this.output.hidden = false;
    this.output.append(printable(delta));
    if ((this.output.textContent?.length ?? 0) > 2 * MOST_OUTPUT) {
      this.output.textContent = `…\n${this.output.textContent?.slice(-MOST_OUTPUT)}`;
    } else if (this.output.childNodes.length > 200) {
      this.output.normalize();
    }
    if (!this.touched) {
      this.element.open = true;
    }
    if (follows) {
      this.output.scrollTop = this.output.scrollHeight;
    }
  }

  update(item: Item): boolean {
    if (item.kind !== "tool") {
      return false;
    }
    this.show(item);
    return true;
  }

  private show(item: ToolItem): void {
    const { result } = item;
    const failed = result !== undefined && (!result.ok || (result.exit_code ?? 0) !== 0);
    this.element.classList.toggle("failed", failed);
    this.element.classList.toggle("runs", !result);
    this.sign.textContent = !result ? "●" : failed ? "✗" : "✓";
    this.state.textContent = !result
      ? "running"
      : result.exit_code
        ? `exit code ${result.exit_code}`
        : result.ok
          ? ""
          : "failed";
    if (!result) {
      return;
    }
    if (result.diff) {
      const open = button("Open Diff", () => post({ type: "show_call_diff", id: item.id }), {
        class: "link",
      });
      this.body.replaceChildren(diff_lines(result.diff), ...(item.args === undefined ? [] : [open]));
    } else {
      const told = printable(result.output ?? result.error ?? "");
      this.output.textContent = told.length > MOST_OUTPUT ? `…\n${told.slice(-MOST_OUTPUT)}` : told;
      this.output.hidden = told === "";
    }
    if (!this.touched) {
      this.element.open = Boolean(result.diff) || failed;
    }
  }
}

/** What a call is about, in a few words. */
function subject_of({ args, result }: ToolItem): string {
  if (typeof args !== "object" || args === null) {
    const file = /^--- (?:a\/)?(.+)$/m.exec(result?.diff ?? "")?.[1];
    return typeof args === "string" ? args : (file ?? "");
  }
  const fields = args as Record<string, unknown>;
  for (const name of ["command", "path", "pattern", "query", "question", "url", "name"]) {
    if (typeof fields[name] === "string") {
      return fields[name];
    }
  }
  return "";
}

/** The arguments, if there is more to them than their subject. */
function rest_of(item: ToolItem): string | undefined {
  const { args } = item;
  if (typeof args !== "object" || args === null) {
    return undefined;
  }
  const subject = subject_of(item);
  const rest = Object.entries(args).filter(([, value]) => value !== subject);
  const is_long = subject.includes("\n") || subject.length > 80;
  const lines = rest.map(
    ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value, null, 2)}`,
  );
  return lines.length === 0 && !is_long ? undefined : [...(is_long ? [subject] : []), ...lines].join("\n");
}
