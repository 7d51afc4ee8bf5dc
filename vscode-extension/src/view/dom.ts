/** Making elements. Text is always text, and printable: nothing here reads HTML. */

import { shown_lines } from "../diff";
import { printable } from "../words";

type Child = Node | string | undefined | false;

interface Attributes {
  class?: string;
  title?: string;
  hidden?: boolean;
  tabindex?: number;
  on?: { [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void };
  [attribute: string]: unknown;
}

export function h<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  { on = {}, ...attributes }: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const [name, listener] of Object.entries(on)) {
    element.addEventListener(name, listener as EventListener);
  }
  for (const child of children) {
    if (child !== undefined && child !== false) {
      element.append(typeof child === "string" ? printable(child) : child);
    }
  }
  return element;
}

/** A text of the server's, whose `code` is set as such. */
export function prose(text: string): Child[] {
  return text.split("`").map((part, idx) => (idx % 2 === 1 ? h("code", {}, part) : part));
}

export function button(label: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", ...attributes, on: { click: act } }, label);
}

/** A button that shows a sign and is called something. */
export function icon_button(sign: string, name: string, act: () => void, style = "icon"): HTMLButtonElement {
  return button(sign, act, { class: style, title: name, "aria-label": name });
}

/** A unified diff, coloured. */
export function diff_lines(diff: string): HTMLElement {
  const lines = shown_lines(diff).map(({ kind, text }) => h("span", { class: kind }, text));
  return h("pre", { class: "diff", tabindex: 0, "aria-label": "Change" }, ...lines);
}
