/** The prompt box: what is typed, what goes along with it, and what was typed before. */
import type { Mention, Offer } from "../items";
import { button, h, icon_button } from "./dom";
import { host, post } from "./host";

const MOST_HISTORY = 100;
/** What every service takes. */
const MOST_IMAGE_BYTES = 3_000_000;

export class Composer {
  readonly element: HTMLElement;
  private readonly box = h("textarea", {
    rows: 1,
    role: "combobox",
    "aria-label": "Prompt",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": "offers",
  });
  private readonly chips = h("div", { class: "chips", hidden: true });
  private readonly offers = h("ul", {
    id: "offers",
    class: "offers",
    role: "listbox",
    "aria-label": "Offers",
    hidden: true,
  });
  private readonly send_button = button("Send", () => this.send("send"), { class: "primary" });
  private readonly queue_button = button("Queue", () => this.send("queue"), {
    class: "secondary",
    title: "Says it when the model would stop (Alt+Enter)",
    hidden: true,
  });
  private mentions: Mention[];
  private readonly history: string[];
  /** Where in the history Up and Down are; its length is what is being typed. */
  private at: number;
  private typed = "";
  private offered: Offer[] = [];
  private chosen = 0;
  private running = false;

  constructor(private readonly on_send: () => void) {
    const kept = host.getState();
    this.mentions = kept?.mentions ?? [];
    this.history = kept?.history ?? [];
    this.at = this.history.length;
    this.box.value = kept?.draft ?? "";
    this.element = h(
      "form",
      { class: "composer" },
      this.offers,
      this.chips,
      this.box,
      h(
        "div",
        { class: "buttons" },
        icon_button("@", "Attach a file, a symbol, the selection or problems", () => this.type("@")),
        h("span", { class: "space" }),
        this.queue_button,
        this.send_button,
      ),
    );
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("input", () => this.changed());
    // The editor may take the focus for a moment; what was offered before is offered again.
    this.box.addEventListener("focus", () => this.changed());
    this.box.addEventListener("blur", () => this.offer([]));
    this.box.addEventListener("paste", (event) => void this.paste(event));
    this.show_mentions();
    this.set_running(false);
  }

  set_running(running: boolean): void {
    this.running = running;
    this.box.placeholder = running ? "Enter steers, Alt+Enter queues" : "What is to be done? @ and / help";
    this.send_button.textContent = running ? "Steer" : "Send";
    this.send_button.title = running ? "Says it to the running turn (Enter)" : "Enter";
    this.queue_button.hidden = !running;
  }

  focus(): void {
    this.box.focus();
  }

  attach(mentions: Mention[]): void {
    const all = [...this.mentions];
    for (const mention of mentions) {
      if (!all.some((other) => is_same(other, mention))) {
        all.push(is_picture(mention) ? { ...mention, label: unused(mention.label, all) } : mention);
      }
    }
    this.set_mentions(all);
  }

  /** Puts text back that did not reach the model. Nothing that is being typed is lost. */
  restore(text: string): void {
    this.box.value = [text, this.box.value].filter((part) => part.trim() !== "").join("\n\n");
    this.changed();
  }

  /** What the editor offers for what stands behind the `@` or the `/`. */
  show_offers(query: string, offers: Offer[]): void {
    if (query === this.query()) {
      this.offer(offers);
    }
  }

  private send(how: "send" | "queue"): void {
    const text = this.box.value.trim();
    if (text === "") {
      return;
    }
    post({ type: "send", text, mentions: this.mentions, how });
    this.history.push(text);
    this.history.splice(0, this.history.length - MOST_HISTORY);
    this.at = this.history.length;
    this.set_mentions([]);
    this.box.value = "";
    this.changed();
    this.on_send();
  }

  private key(event: KeyboardEvent): void {
    if (event.isComposing) {
      return;
    }
    if (this.offered.length > 0 && this.key_in_offers(event)) {
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.send(event.altKey && this.running ? "queue" : "send");
    } else if (event.key === "ArrowUp" && this.is_at_edge("\n", 0) && this.at > 0) {
      event.preventDefault();
      this.recall(this.at - 1);
    } else if (event.key === "ArrowDown" && this.is_at_edge("\n", 1) && this.at < this.history.length) {
      event.preventDefault();
      this.recall(this.at + 1);
    }
  }

  private key_in_offers(event: KeyboardEvent): boolean {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      this.choose((this.chosen + step + this.offered.length) % this.offered.length);
    } else if (event.key === "Enter" || event.key === "Tab") {
      this.take(this.chosen);
    } else if (event.key === "Escape") {
      this.offer([]);
    } else {
      return false;
    }
    return true;
  }

  /** Whether the cursor stands in the first line (0) or the last one (1). */
  private is_at_edge(newline: string, side: 0 | 1): boolean {
    const { value, selectionStart, selectionEnd } = this.box;
    const beyond = side === 0 ? value.slice(0, selectionStart) : value.slice(selectionEnd);
    return selectionStart === selectionEnd && !beyond.includes(newline);
  }

  private recall(at: number): void {
    if (this.at === this.history.length) {
      this.typed = this.box.value;
    }
    this.at = at;
    this.box.value = this.history[at] ?? this.typed;
    this.box.setSelectionRange(this.box.value.length, this.box.value.length);
    this.keep();
  }

  private type(text: string): void {
    this.box.focus();
    const { selectionStart, value } = this.box;
    const space = selectionStart === 0 || /\s/.test(value.charAt(selectionStart - 1)) ? "" : " ";
    this.box.setRangeText(space + text, selectionStart, this.box.selectionEnd, "end");
    this.changed();
  }

  private changed(): void {
    this.keep();
    const query = this.query();
    if (query === undefined) {
      this.offer([]);
    } else {
      post({ type: "offers", query });
    }
  }

  /** What stands from an `@` to the cursor, or from a `/` that begins the text. */
  private query(): string | undefined {
    const typed = this.box.value.slice(0, this.box.selectionStart);
    return /^\/[\p{L} ]*$/u.exec(typed)?.[0] ?? /(?<=^|\s)@[^\s@]*$/.exec(typed)?.[0];
  }

  private offer(offers: Offer[]): void {
    this.offered = offers;
    this.offers.hidden = offers.length === 0;
    this.box.setAttribute("aria-expanded", String(offers.length > 0));
    this.offers.replaceChildren(
      ...offers.map((offer, idx) =>
        h(
          "li",
          {
            id: `offer-${idx}`,
            title: offer.kind === "command" ? offer.help : offer.label,
            role: "option",
            on: {
              mousedown: (event) => {
                event.preventDefault();
                this.take(idx);
              },
            },
          },
          ...describe(offer),
        ),
      ),
    );
    if (offers.length > 0) {
      this.choose(0);
    } else {
      this.box.removeAttribute("aria-activedescendant");
    }
  }

  private choose(idx: number): void {
    this.chosen = idx;
    for (const [number, option] of [...this.offers.children].entries()) {
      option.setAttribute("aria-selected", String(number === idx));
    }
    this.offers.children[idx]?.scrollIntoView({ block: "nearest" });
    this.box.setAttribute("aria-activedescendant", `offer-${idx}`);
  }

  /** The `@…` becomes the name in the text, and what it names is attached; a command is given. */
  private take(idx: number): void {
    const offer = this.offered[idx];
    const query = this.query();
    this.offer([]);
    if (offer && query !== undefined) {
      const end = this.box.selectionStart;
      this.box.setRangeText(name_of(offer), end - query.length, end, "end");
      if (offer.kind === "command") {
        post({ type: "command", command: offer.command });
      } else {
        this.attach([offer]);
      }
      this.keep();
    }
  }

  private async paste(event: ClipboardEvent): Promise<void> {
    const images = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith("image/"));
    // What a spreadsheet copies is text, and a picture of it as well.
    if (images.length === 0 || event.clipboardData?.types.includes("text/plain")) {
      return;
    }
    event.preventDefault();
    const fitting = images.filter(({ size }) => size <= MOST_IMAGE_BYTES);
    if (fitting.length < images.length) {
      post({ type: "image_too_large", most_bytes: MOST_IMAGE_BYTES });
    }
    for (const image of fitting) {
      const data = await base64(image);
      this.attach([{ kind: "image", label: "image 1", mime_type: image.type, data }]);
    }
  }

  private show_mentions(): void {
    this.chips.hidden = this.mentions.length === 0;
    this.chips.replaceChildren(
      ...this.mentions.map((mention) =>
        h(
          "span",
          { class: "chip" },
          mention.label,
          icon_button("×", `Remove ${mention.label}`, () => {
            this.set_mentions(this.mentions.filter((other) => other !== mention));
            this.focus();
          }),
        ),
      ),
    );
  }

  private set_mentions(mentions: Mention[]): void {
    const pictures = mentions.filter(is_picture);
    const had = this.mentions.filter(is_picture);
    this.mentions = mentions;
    if (pictures.length !== had.length || pictures.some((picture, idx) => picture !== had[idx])) {
      post({ type: "pictures", pictures });
    }
    this.show_mentions();
    this.keep();
  }

  /** All but the pictures, which are much to keep at every key: the extension has them. */
  private keep(): void {
    const mentions = this.mentions.filter((mention) => !is_picture(mention));
    host.setState({ draft: this.box.value, mentions, history: this.history });
  }
}

function is_picture({ kind }: Mention): boolean {
  return kind === "image";
}

function is_same(one: Mention, other: Mention): boolean {
  return one.kind === "image" && other.kind === "image" ? one.data === other.data : one.label === other.label;
}

/** This label, or the first of its kind that is free. */
function unused(wanted: string, mentions: Mention[]): string {
  let label = wanted;
  for (let number = 1; mentions.some((mention) => mention.label === label); number += 1) {
    label = `image ${number}`;
  }
  return label;
}

/** How an offer stands in the list. */
function describe(offer: Offer): (Node | string)[] {
  switch (offer.kind) {
    case "command":
      return [offer.title, h("span", { class: "help" }, offer.help)];
    case "file":
      return [offer.label];
    default:
      return [
        h("span", { class: "tag" }, offer.kind === "diagnostics" ? "problems" : offer.kind),
        offer.label,
      ];
  }
}

/** How it stands in the text. */
function name_of(offer: Offer): string {
  const name = offer.kind === "file" ? offer.label : offer.kind === "symbol" ? offer.name : undefined;
  return name ? `\`${name}\` ` : "";
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
