/** Lists that change while somebody is in them with the keyboard. */

export interface Row<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

/** The children of an element, each of which stays for as long as what it shows. */
export class List<T> {
  private rows = new Map<string, Row<T>>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly key: (item: T) => string,
    private readonly make: (item: T) => Row<T>,
  ) {}

  show(items: T[]): void {
    const rows = new Map(
      items.map((item) => {
        const key = this.key(item);
        return [key, this.rows.get(key) ?? this.make(item)];
      }),
    );
    for (const [key, { element }] of this.rows) {
      if (!rows.has(key)) {
        element.remove();
      }
    }
    this.rows = rows;
    let next = this.parent.firstElementChild;
    for (const item of items) {
      const row = rows.get(this.key(item));
      row?.update(item);
      if (row && row.element === next) {
        next = next.nextElementSibling;
      } else if (row) {
        this.parent.insertBefore(row.element, next);
      }
    }
  }
}

/**
 * Changes what is in an element. If what has the keyboard goes away, the next one of its kind gets it, else the one
 * before, else any; if there is none, `otherwise` says where to go on.
 */
export function keeping_focus(element: HTMLElement, otherwise: () => void, change: () => void): void {
  const focused = document.activeElement as HTMLElement;
  const all = [...element.querySelectorAll<HTMLElement>("button, input, summary")];
  const at = all.indexOf(focused);
  change();
  if (at < 0 || !document.hasFocus() || is_there(all[at])) {
    return;
  }
  const others = [...all.slice(at + 1), ...all.slice(0, at).reverse()].filter(is_there);
  const next = others.find(({ textContent }) => textContent === focused.textContent) ?? others[0];
  if (next) {
    next.focus();
  } else {
    otherwise();
  }
}

function is_there(element: HTMLElement | undefined): boolean {
  return element?.checkVisibility() ?? false;
}
