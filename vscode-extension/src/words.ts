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
  return text.replaceAll("](", "] (");
}
