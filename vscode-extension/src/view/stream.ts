/** A text in Markdown that grows while it is shown. What is settled is rendered once. */
import { printable } from "../words";
import { cut } from "./blocks";
import { h } from "./dom";
import { markdown } from "./markdown";

/** Characters of Markdown in one part of the page. The browser lays out only the parts that are to be seen. */
const PART = 8_000;

export class StreamedMarkdown {
  readonly element = h("div", { class: "markdown" });
  private readonly tail = h("div");
  /** The last part of what is settled, and how much is in it. */
  private part: HTMLElement | undefined;
  private in_part = 0;
  /** What is not settled yet. */
  private rest = "";
  private text = "";
  /** The code block that the text ends in. */
  private code: { text: Text; length: number } | undefined;

  constructor(text: string, done: boolean) {
    this.element.append(this.tail);
    if (done) {
      this.finish(text);
    } else {
      this.append(text);
    }
  }

  append(piece: string): void {
    const delta = printable(piece);
    this.text += delta;
    this.rest += delta;
    if (this.code && !/^ {0,3}[`~]/m.test(this.rest.slice(this.code.length))) {
      // Code goes on: its end can only be a line that begins with the fence.
      this.code.text.appendData(delta);
      this.code.length = this.rest.lastIndexOf("\n") + 1 || this.code.length;
      return;
    }
    const { settled, fence } = cut(this.rest);
    if (settled > 0) {
      this.settle(this.rest.slice(0, settled));
      this.rest = this.rest.slice(settled);
    }
    this.code = undefined;
    if (fence) {
      const text = document.createTextNode(this.rest.slice(fence.code - settled));
      this.tail.replaceChildren(h("pre", {}, h("code", {}, text)));
      this.code = { text, length: this.rest.lastIndexOf("\n") + 1 };
    } else {
      this.tail.innerHTML = markdown.render(this.rest);
    }
  }

  /** Shows the whole text as it came to be; what stands there already is left alone if it is the same. */
  finish(whole: string): void {
    const text = printable(whole);
    // A reference may stand far from what it is used for.
    const is_same = text === this.text && !/^ {0,3}\[[^\]]+\]:/m.test(text);
    if (is_same) {
      this.tail.innerHTML = markdown.render(this.rest);
    } else {
      this.element.replaceChildren(this.tail);
      this.part = undefined;
      this.tail.innerHTML = markdown.render(text);
    }
    this.text = text;
    this.rest = "";
    this.code = undefined;
  }

  private settle(text: string): void {
    if (!this.part || this.in_part > PART) {
      this.part = h("div", { class: "part" });
      this.in_part = 0;
      this.tail.before(this.part);
    }
    this.in_part += text.length;
    this.part.insertAdjacentHTML("beforeend", markdown.render(text));
  }
}
