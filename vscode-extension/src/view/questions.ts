/** What waits for an answer, above the prompt box. */
import type { Asked } from "../items";
import type { ConfirmAction } from "../protocol";
import { sentence } from "../words";
import { button, diff_lines, h } from "./dom";
import { post } from "./host";

const LABELS: Record<string, string> = { allow: "Allow", deny: "Deny", allow_session: "Allow for Session" };

export class Questions {
  readonly element = h("section", { class: "questions", "aria-label": "Questions", hidden: true });
  private readonly cards = new Map<string, HTMLElement>();

  show(asked: Asked[]): void {
    for (const [id, shown] of this.cards) {
      if (!asked.some(({ question_id }) => question_id === id)) {
        shown.remove();
        this.cards.delete(id);
      }
    }
    for (const question of asked) {
      if (!this.cards.has(question.question_id)) {
        const made = question.kind === "confirm" ? confirm(question) : input(question);
        this.cards.set(question.question_id, made);
        this.element.append(made);
      }
    }
    this.element.hidden = asked.length === 0;
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
