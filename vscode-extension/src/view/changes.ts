/** What the session changed in files and the user has not kept yet. */
import type { ChangedFile } from "../items";
import { button, diff_lines, h, icon_button } from "./dom";
import { post } from "./host";

export class Changes {
  readonly element = h("details", { class: "changes", hidden: true });
  private readonly summary = h("summary");
  private readonly list = h("div", { class: "list" });
  /** Files whose hunks the user wants to see. */
  private readonly opened = new Set<string>();

  constructor() {
    this.element.append(this.summary, this.list);
  }

  show(files: ChangedFile[], ran_commands: number): void {
    this.element.hidden = files.length === 0;
    const added = files.reduce((sum, file) => sum + file.added, 0);
    const removed = files.reduce((sum, file) => sum + file.removed, 0);
    const name = files.length === 1 ? "1 file" : `${files.length} files`;
    this.summary.replaceChildren(
      h("span", {}, name),
      numbers(added, removed),
      h(
        "span",
        { class: "actions" },
        button("Review", (/* opens the diff */) => post({ type: "review" }), { class: "link" }),
        button("Keep All", () => post({ type: "keep" }), { class: "link" }),
      ),
    );
    this.list.replaceChildren(...files.map((file) => this.file(file)));
    if (ran_commands > 0) {
      this.list.append(h("p", { class: "where" }, "Commands were run too, and may have changed more."));
    }
  }

  private file(file: ChangedFile): HTMLElement {
    const { uri, path } = file;
    const element = h(
      "details",
      { class: "file" },
      h(
        "summary",
        {},
        h("span", { class: "path", title: path }, path),
        numbers(file.added, file.removed),
        h(
          "span",
          { class: "actions" },
          icon_button("✓", `Keep the changes of ${path}`, () => post({ type: "keep", uri })),
          icon_button("↶", `Undo the changes of ${path}`, () => post({ type: "undo", uri })),
        ),
      ),
      file.error ? h("p", { class: "where" }, file.error) : undefined,
      ...file.hunks.map(({ hunk_id, header, lines }) =>
        h(
          "div",
          { class: "hunk" },
          diff_lines(`${header}\n${lines}`),
          h(
            "span",
            { class: "actions" },
            button("Keep", () => post({ type: "keep", uri, hunk_id }), { class: "link" }),
            button("Undo", () => post({ type: "undo", uri, hunk_id }), { class: "link" }),
          ),
        ),
      ),
    );
    element.open = this.opened.has(uri);
    element.addEventListener("toggle", () => {
      if (element.open) {
        this.opened.add(uri);
      } else {
        this.opened.delete(uri);
      }
    });
    return element;
  }
}

function numbers(added: number, removed: number): HTMLElement {
  return h(
    "span",
    { class: "numbers", "aria-label": `${added} lines added, ${removed} removed` },
    h("span", { class: "added" }, `+${added}`),
    " ",
    h("span", { class: "removed" }, `−${removed}`),
  );
}
