/** What the session changed in files and the user has not kept yet. */
import type { ChangedFile } from "../items";
import { button, diff_lines, h, icon_button } from "./dom";
import { post } from "./host";
import { keeping_focus, List, type Row } from "./list";

type Hunk = ChangedFile["hunks"][number];

export class Changes {
  readonly element = h("details", { class: "changes", hidden: true });
  private readonly name = h("span");
  private readonly numbers = h("span", { class: "numbers" });
  private readonly commands = h("p", { class: "where" }, "Commands were run too, and may have changed more.");
  private readonly files: List<ChangedFile>;

  /** `otherwise`: where who reviews by keyboard goes on when nothing is left. */
  constructor(private readonly otherwise: () => void) {
    const summary = h(
      "summary",
      {},
      this.name,
      this.numbers,
      h(
        "span",
        { class: "actions" },
        button("Review", (/* opens the diff */) => post({ type: "review" }), { class: "link" }),
        button("Keep All", () => post({ type: "keep" }), { class: "link" }),
      ),
    );
    const list = h("div");
    this.files = new List(list, ({ uri }) => uri, file_row);
    this.element.append(summary, h("div", { class: "list" }, list, this.commands));
  }

  show(files: ChangedFile[], ran_commands: number): void {
    keeping_focus(this.element, this.otherwise, () => {
      this.element.hidden = files.length === 0;
      this.name.textContent = files.length === 1 ? "1 file" : `${files.length} files`;
      const sum = (count: (file: ChangedFile) => number) => files.reduce((all, file) => all + count(file), 0);
      show_numbers(
        this.numbers,
        sum(({ added }) => added),
        sum(({ removed }) => removed),
      );
      this.files.show(files);
      this.commands.hidden = ran_commands === 0;
    });
  }
}

function file_row({ uri, path }: ChangedFile): Row<ChangedFile> {
  const numbers = h("span", { class: "numbers" });
  const trouble = h("p", { class: "where" });
  const list = h("div");
  const hunks = new List<Hunk>(
    list,
    ({ hunk_id }) => hunk_id,
    (hunk) => hunk_row(uri, hunk),
  );
  return {
    element: h(
      "details",
      { class: "file" },
      h(
        "summary",
        {},
        h("span", { class: "path", title: path }, path),
        numbers,
        h(
          "span",
          { class: "actions" },
          icon_button("✓", `Keep the changes of ${path}`, () => post({ type: "keep", uri })),
          icon_button("↶", `Undo the changes of ${path}`, () => post({ type: "undo", uri })),
        ),
      ),
      trouble,
      list,
    ),
    update(file) {
      show_numbers(numbers, file.added, file.removed);
      trouble.textContent = file.error ?? "";
      trouble.hidden = !file.error;
      hunks.show(file.hunks);
    },
  };
}

function hunk_row(uri: string, { hunk_id }: Hunk): Row<Hunk> {
  const place = h("div");
  let shown = "";
  return {
    element: h(
      "div",
      { class: "hunk" },
      place,
      h(
        "span",
        { class: "actions" },
        button("Keep", () => post({ type: "keep", uri, hunk_id }), { class: "link" }),
        button("Undo", () => post({ type: "undo", uri, hunk_id }), { class: "link" }),
      ),
    ),
    update({ header, lines }) {
      const diff = `${header}\n${lines}`;
      if (diff !== shown) {
        shown = diff;
        place.replaceChildren(diff_lines(diff));
      }
    },
  };
}

function show_numbers(element: HTMLElement, added: number, removed: number): void {
  element.ariaLabel = `${added} lines added, ${removed} removed`;
  element.replaceChildren(
    h("span", { class: "added" }, `+${added}`),
    " ",
    h("span", { class: "removed" }, `−${removed}`),
  );
}
