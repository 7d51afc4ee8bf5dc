/** How things are said, wherever they are shown. */
import type { Status } from "./items";

/** What a session does, or waits for. Nothing when it is idle. */
export function waiting({ state, waiting_for }: Status): string {
  if (state === "starting") {
    return "starting";
  }
  if (state !== "running") {
    return "";
  }
  switch (waiting_for?.kind) {
    case "model":
      return "waiting for the model";
    case "tool":
      return `running ${waiting_for.tool}`;
    case "answer":
      return "waiting for your answer";
    case "undo":
      return "taking files back";
    case "compaction":
      return "compacting";
    case "retry":
      return `trying again in ${Math.ceil(waiting_for.delay_ms / 1000)} s: ${waiting_for.reason}`;
    default:
      return "working";
  }
}

/** The server's messages begin small, to stand behind others. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.*$/, "")}.`;
}

/** For notifications. What others wrote must not become a link: a click on one could run a command of the editor. */
export function without_links(text: string): string {
  return printable(text).replaceAll("](", "] (");
}

/**
 * A text of others with what cannot be seen, or turns the order of what can, made visible. The server does so where it
 * asks and warns (server/text/src/printable.rs says what and why); the conversation it sends as it is, and the page shows
 * it through this. A joiner at the edge of a piece is taken for part of an emoji that was cut there.
 */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(HIDDEN, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

const JOINED = "[^\\p{ASCII}\\s\\u200c\\u200d]";
const HIDDEN = new RegExp(
  [
    // Joiners and variation selectors that have nothing to act on.
    `(?<!^|${JOINED})[\\u200c\\u200d]`,
    `[\\u200c\\u200d](?!$|${JOINED})`,
    "(?<!^|[^\\p{ASCII}\\s\\ufe00-\\ufe0f]|[0-9#*])[\\ufe00-\\ufe0f]",
    // Controls, invisible characters with the directions among them, separators and annotations.
    "(?![\\n\\t\\u200c\\u200d\\ufe00-\\ufe0f])[\\p{Cc}\\p{Default_Ignorable_Code_Point}\\u2028\\u2029\\ufff9-\\ufffb]",
  ].join("|"),
  "gu",
);
