/** What waits for an answer, above the prompt box. */
import type { Asked } from "../items";
import type { ConfirmAction } from "../protocol";
import { sentence } from "../words";
import { button, diff_lines, h } from "./dom";
import { post } from "./host";
import { List } from "./list";

const LABELS: Record<string, string> = { allow: "Allow", deny: "Deny", allow_session: "Allow for Session" };

export class Questions {
  readonly element = h("section", { class: "questions", "aria-label": "Questions", hidden: true });
  private readonly cards = new List<Asked>(
    this.element,
    ({ question_id }) => question_id,
    (asked) => ({ element: asked.kind === "confirm" ? confirm(asked) : input(asked), update() {} }),
  );

  /** `on_answered`: what had the keyboard is gone with its question. */
  constructor(private readonly on_answered: () => void) {}

  show(asked: Asked[]): void {
    const focused = document.activeElement;
    const was_here = document.hasFocus() && this.element.contains(focused);
    this.cards.show(asked);
    this.element.hidden = asked.length === 0;
    // Not to the next question: it would be answered by a key that is still down.
    if (was_here && !this.element.contains(focused)) {
      this.on_answered();
    }
  }
}

function confirm({
  question_id,
  title,
  message,
  actions,
  details,
}: Extract<Asked, { kind: "confirm" }>): HTMLElement {
  const word = h("input", {
    type: "text",
    class: "word",
    placeholder: "A word to the model, if denied",
    "aria-label": "A word to the model, if denied",
  });
  const answer = (action: ConfirmAction) => {
    const said = word.value.trim();
    post({
      type: "answer",
      question_id,
      action,
      message: action === "deny" && said !== "" ? said : undefined,
    });
  };
  word.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) {
      answer("deny");
    }
  });
  const buttons = actions.map((action) =>
    button(LABELS[action] ?? action, () => answer(action), {
      class: action === "allow" ? "primary" : "secondary",
      title: action === "allow_session" && details.grant ? `From now on: ${details.grant}` : undefined,
    }),
  );
  return h(
    "div",
    { class: "question", role: "group", "aria-label": title },
    h("h2", {}, title),
    h("p", {}, sentence(message)),
    details.command ? h("pre", { class: "command", tabindex: 0 }, details.command) : undefined,
    details.directory ? h("p", { class: "where" }, `in ${details.directory}`) : undefined,
    details.diff ? diff_lines(details.diff) : undefined,
    details.grant && actions.includes("allow_session")
      ? h("p", { class: "where" }, `For the session: ${details.grant}`)
      : undefined,
    h(
      "div",
      { class: "answers" },
      ...buttons,
      details.diff
        ? button("Show Diff", () => post({ type: "show_question_diff", question_id }), { class: "link" })
        : undefined,
    ),
    actions.includes("deny") ? word : undefined,
  );
}

function input({ question_id, prompt, choices }: Extract<Asked, { kind: "input" }>): HTMLElement {
  return h(
    "div",
    { class: "question", role: "group", "aria-label": prompt },
    h("h2", {}, prompt),
    h(
      "div",
      { class: "answers" },
      ...choices.map((text) =>
        button(text, () => post({ type: "reply", question_id, text }), { class: "secondary" }),
      ),
      button(
        choices.length > 0 ? "Something Else…" : "Answer…",
        () => post({ type: "type_answer", question_id }),
        {
          class: choices.length > 0 ? "link" : "primary",
        },
      ),
    ),
  );
}
