/**
 * The conversation, of which only a part is in the page: the items around what is to be seen. Scrolling moves
 * that part; at the end it follows what comes.
 */
import type { Item, Patch } from "../items";
import { type Card, card } from "./cards";
import { button, h } from "./dom";

/** Items in the page, and how many come in at once. */
const MOST = 160;
const PAGE = 40;
/** Pixels from the edge at which more items come in, or that still count as the end. */
const NEAR_EDGE = 800;
const NEAR_END = 32;

export class Transcript {
  readonly element: HTMLElement;
  private readonly log = h("div", {
    class: "log",
    role: "log",
    tabindex: 0,
    "aria-label": "Conversation",
    "aria-live": "off",
  });
  private readonly to_end = button("↓ Latest", () => this.follow(), { class: "to-end", hidden: true });
  private items: Item[] = [];
  private cards = new Map<string, Card>();
  /** What of the items is in the page: from the first to before the last. */
  private first = 0;
  private last = 0;
  private follows = true;

  constructor(private readonly welcome: HTMLElement) {
    this.element = h("main", {}, this.log, this.to_end);
    this.log.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.stay()).observe(this.log);
  }

  reset(items: Item[]): void {
    this.items = items;
    this.cards.clear();
    this.last = items.length;
    this.first = Math.max(0, this.last - PAGE);
    this.log.replaceChildren(...items.slice(this.first).map((item) => this.make(item)));
    this.follows = true;
    this.show_welcome();
    this.stay();
  }

  apply(patches: Patch[]): void {
    for (const patch of patches) {
      this.apply_one(patch);
    }
    if (this.follows) {
      this.trim_start();
    }
    this.show_welcome();
    this.stay();
  }

  /** Goes to the end, and stays there. */
  follow(): void {
    this.follows = true;
    if (this.last < this.items.length) {
      this.reset(this.items);
    }
    this.stay();
  }

  private apply_one(patch: Patch): void {
    switch (patch.op) {
      case "add":
        this.items.push(patch.item);
        if (this.last === this.items.length - 1) {
          this.last += 1;
          this.log.append(this.make(patch.item));
        }
        return;
      case "append": {
        const item = this.items[this.place(patch.id)];
        if (item && patch.field in item) {
          (item as unknown as Record<string, string>)[patch.field] += patch.delta;
          this.cards.get(patch.id)?.append(patch.field, patch.delta);
        }
        return;
      }
      case "set": {
        const idx = this.place(patch.item.id);
        const shown = this.cards.get(patch.item.id);
        this.items[idx] = patch.item;
        if (shown && !shown.update(patch.item)) {
          shown.element.replaceWith(this.make(patch.item));
        }
        return;
      }
      case "remove": {
        const idx = this.place(patch.id);
        if (idx >= 0) {
          this.items.splice(idx, 1);
          this.first -= idx < this.first ? 1 : 0;
          this.last -= idx < this.last ? 1 : 0;
          this.drop(patch.id);
        }
      }
    }
  }

  /** Mostly one of the last. */
  private place(id: string): number {
    return this.items.findLastIndex((item) => item.id === id);
  }

  private make(item: Item): HTMLElement {
    const made = card(item);
    this.cards.set(item.id, made);
    return made.element;
  }

  private drop(id: string): void {
    this.cards.get(id)?.element.remove();
    this.cards.delete(id);
  }

  private stay(): void {
    if (this.follows) {
      this.log.scrollTop = this.log.scrollHeight;
    }
    this.to_end.hidden = this.follows;
  }

  private show_welcome(): void {
    if (this.items.length === 0) {
      this.log.replaceChildren(this.welcome);
    } else {
      this.welcome.remove();
    }
  }

  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const below = scrollHeight - scrollTop - clientHeight;
    this.follows = this.last === this.items.length && below < NEAR_END;
    this.to_end.hidden = this.follows;
    if (scrollTop < NEAR_EDGE && this.first > 0) {
      this.more_above();
    } else if (below < NEAR_EDGE && this.last < this.items.length) {
      this.more_below();
    }
  }

  private more_above(): void {
    const from = Math.max(0, this.first - PAGE);
    const anchor = this.log.firstElementChild;
    const made = this.items.slice(from, this.first).map((item) => this.make(item));
    this.keep_place(anchor, () => this.log.prepend(...made));
    this.first = from;
    for (const item of this.items.slice(Math.max(from + MOST, this.first), this.last)) {
      this.drop(item.id);
    }
    this.last = Math.min(this.last, from + MOST);
  }

  private more_below(): void {
    const to = Math.min(this.items.length, this.last + PAGE);
    this.log.append(...this.items.slice(this.last, to).map((item) => this.make(item)));
    this.last = to;
    this.keep_place(this.log.lastElementChild, () => this.trim_start());
  }

  private trim_start(): void {
    const from = Math.max(this.first, this.last - MOST);
    for (const item of this.items.slice(this.first, from)) {
      this.drop(item.id);
    }
    this.first = from;
  }

  /** What the user looks at stays where it is, whatever comes and goes above it. */
  private keep_place(anchor: Element | null, change: () => void): void {
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    this.log.scrollTop += (anchor?.getBoundingClientRect().top ?? 0) - before;
  }
}
