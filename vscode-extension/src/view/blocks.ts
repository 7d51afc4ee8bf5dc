/**
 * Cuts growing Markdown where what came before cannot change any more, so that a long answer is not read
 * again for each of its pieces. Pure.
 */

export interface Cut {
  /** How much of the text is settled. */
  settled: number;
  /** If the text ends within a fenced code block: where its code begins, and its language. */
  fence?: { code: number; language: string };
}

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;

/**
 * Settled is what ends in an empty line, outside of code, if what comes next is a block of its own: it is not
 * indented and belongs to no list.
 */
export function cut(text: string): Cut {
  let settled = 0;
  let fence: { marker: string; code: number; language: string; begin: number } | undefined;
  let after_empty = false;
  let in_list = false;
  let position = 0;
  while (position < text.length) {
    const end = text.indexOf("\n", position);
    const is_whole = end >= 0;
    const line = text.slice(position, is_whole ? end : undefined);
    const next = is_whole ? end + 1 : text.length;
    if (fence) {
      if (is_whole && closes(line, fence.marker)) {
        fence = undefined;
        if (!in_list) {
          settled = next;
        }
      }
    } else {
      const opening = is_whole ? FENCE.exec(line) : null;
      const is_empty = line.trim() === "";
      const is_item = /^ {0,3}([-*+]|\d+[.)])(\s|$)/.test(line);
      const is_indented = /^\s/.test(line);
      // A last line that is not whole may yet become anything.
      if (after_empty && !is_empty && !is_indented && !(in_list && is_item) && is_whole) {
        settled = position;
        in_list = false;
      }
      if (is_item) {
        in_list = true;
      }
      if (opening && !is_indented) {
        const [, , marker = "", language = ""] = opening;
        fence = { marker, code: next, language, begin: position };
        in_list = false;
      }
      after_empty = is_empty;
    }
    position = next;
  }
  return fence
    ? { settled: fence.begin, fence: { code: fence.code, language: fence.language } }
    : { settled };
}

function closes(line: string, marker: string): boolean {
  const trimmed = line.trim();
  return (
    /^ {0,3}\S/.test(line) &&
    trimmed.length >= marker.length &&
    trimmed === marker.charAt(0).repeat(trimmed.length)
  );
}
