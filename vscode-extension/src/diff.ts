/** Unified diffs, as the server sends them: read, taken apart and taken back. Pure. */

export interface DiffHunk {
  header: string;
  /** Lines count from 1; where a side has no lines, the line before is named. */
  old_start: number;
  old_lines: number;
  new_start: number;
  new_lines: number;
  /** With their first character: space, `-`, `+` or `\`. */
  lines: string[];
}

const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

export function parse_diff(diff: string): DiffHunk[] {
  const hunks: DiffHunk[] = [];
  let left_old = 0;
  let left_new = 0;
  for (const line of diff.split("\n")) {
    const hunk = hunks.at(-1);
    const header = left_old <= 0 && left_new <= 0 ? HEADER.exec(line) : null;
    if (header) {
      const [, old_start = "0", old_lines = "1", new_start = "0", new_lines = "1"] = header;
      left_old = Number(old_lines);
      left_new = Number(new_lines);
      hunks.push({
        header: line,
        old_start: Number(old_start),
        old_lines: left_old,
        new_start: Number(new_start),
        new_lines: left_new,
        lines: [],
      });
    } else if (hunk && (left_old > 0 || left_new > 0 || line.startsWith("\\"))) {
      hunk.lines.push(line === "" ? " " : line);
      left_old -= line.startsWith("+") || line.startsWith("\\") ? 0 : 1;
      left_new -= line.startsWith("-") || line.startsWith("\\") ? 0 : 1;
    }
  }
  return hunks;
}

/** The diffs of the files that a joined one is about. */
export function by_file(diff: string): { path: string; diff: string }[] {
  const files: { path: string; diff: string }[] = [];
  let left_old = 0;
  let left_new = 0;
  for (const line of diff.split(/(?<=\n)/)) {
    const is_inside = left_old > 0 || left_new > 0;
    const header = is_inside ? null : HEADER.exec(line);
    if (header) {
      left_old = Number(header[2] ?? "1");
      left_new = Number(header[4] ?? "1");
    } else if (is_inside) {
      left_old -= /^[+\\]/.test(line) ? 0 : 1;
      left_new -= /^[-\\]/.test(line) ? 0 : 1;
    } else if (line.startsWith("--- ")) {
      files.push({ path: line.slice(4).trimEnd(), diff: "" });
    }
    const file = files.at(-1);
    if (file) {
      file.diff += line;
    }
  }
  return files;
}

/** A line of a diff as it is shown. */
export interface ShownLine {
  kind: "file" | "place" | "added" | "removed" | "same";
  text: string;
}

/** What there is to read in a diff: files where it has several, places but for the top, and lines. */
export function shown_lines(diff: string): ShownLine[] {
  const lines: ShownLine[] = [];
  let left_old = 0;
  let left_new = 0;
  let old_name = "";
  for (const line of diff.replace(/\n$/, "").split("\n")) {
    const is_inside = left_old > 0 || left_new > 0;
    const header = is_inside ? null : HEADER.exec(line);
    if (header) {
      const [, , old_lines = "1", new_start = "0", new_lines = "1"] = header;
      left_old = Number(old_lines);
      left_new = Number(new_lines);
      if (Number(new_start) > 1) {
        lines.push({ kind: "place", text: `line ${new_start}` });
      }
    } else if (!is_inside && line.startsWith("--- ")) {
      old_name = line.slice(4);
    } else if (!is_inside && line.startsWith("+++ ")) {
      const name = line.slice(4);
      lines.push({ kind: "file", text: name === "/dev/null" ? old_name : name });
    } else {
      const kind = line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "same";
      lines.push({ kind, text: line });
      left_old -= kind === "added" || line.startsWith("\\") ? 0 : 1;
      left_new -= kind === "removed" || line.startsWith("\\") ? 0 : 1;
    }
  }
  const has_several = lines.filter(({ kind }) => kind === "file").length > 1;
  return lines.filter(({ kind }) => kind !== "file" || has_several);
}

/**
 * The text before a change, from the text after it. `undefined` if the text is not what the diff left: then
 * there is nothing to compare with.
 */
export function before(after: string, diff: string): string | undefined {
  return rewrite(after, parse_diff(diff), "+", "-", (hunk) => [hunk.new_start, hunk.new_lines]);
}

/** The text after a change, from the text before it. */
export function after(before_text: string, diff: string): string | undefined {
  return rewrite(before_text, parse_diff(diff), "-", "+", (hunk) => [hunk.old_start, hunk.old_lines]);
}

function rewrite(
  text: string,
  hunks: DiffHunk[],
  gone: "+" | "-",
  come: "+" | "-",
  place: (hunk: DiffHunk) => [start: number, lines: number],
): string | undefined {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const source = text.split(/\r?\n/);
  const result: string[] = [];
  let next = 0;
  let ends_with_newline: boolean | undefined;
  for (const hunk of hunks) {
    const [start, n_lines] = place(hunk);
    const from = n_lines === 0 ? start : start - 1;
    if (from < next) {
      return undefined;
    }
    result.push(...source.slice(next, from));
    next = from;
    let last = " ";
    for (const line of hunk.lines) {
      const body = line.slice(1).replace(/\r$/, "");
      if (line.startsWith("\\")) {
        // "No newline at end of file", about the line before.
        if (last !== gone) {
          ends_with_newline = false;
        } else {
          ends_with_newline ??= true;
        }
        continue;
      }
      last = line.charAt(0);
      if (last !== come) {
        if (source[next] !== body) {
          return undefined;
        }
        next += 1;
      }
      if (last !== gone) {
        result.push(body);
      }
    }
  }
  const rest = source.slice(next);
  result.push(...rest);
  const had_newline = source.at(-1) === "";
  if (ends_with_newline === false && rest.length <= 1 && had_newline && result.at(-1) === "") {
    result.pop();
  } else if (ends_with_newline === true && !had_newline && result.at(-1) !== "") {
    result.push("");
  }
  return result.join(newline);
}
