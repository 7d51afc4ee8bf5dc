/** What the prompt box offers for what is being typed: which of it fits, and in which order. Pure. */
import type { CommandOffer } from "./items";

/** Who is in the prompt box already needs no command to get there. */
const NOT_OFFERED = ["opal.prompt", "opal.focus"];

/** How well a name or path fits: begins so, holds it, its folders hold it, has its letters in order; or not. */
export function fit(path: string, query: string): number | undefined {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf("/") + 1);
  if (name.startsWith(query)) {
    return 0;
  }
  return name.includes(query) ? 1 : lower.includes(query) ? 2 : is_subsequence(query, lower) ? 3 : undefined;
}

/** Those that fit, best first; of those that fit as well the first ones first. */
export function rank<T>(items: T[], query: string, text: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, fit: fit(text(item), query) }))
    .filter((entry) => entry.fit !== undefined)
    .sort((a, b) => (a.fit ?? 0) - (b.fit ?? 0))
    .map(({ item }) => item);
}

function is_subsequence(letters: string, text: string): boolean {
  let idx = 0;
  for (const letter of letters) {
    idx = text.indexOf(letter, idx) + 1;
    if (idx === 0) {
      return false;
    }
  }
  return true;
}

export interface Command {
  id: string;
  title: string;
  help: string;
  /** When it makes sense, as the palette says it; of that only `a && !b` is understood. */
  enablement?: string;
}

/** The commands of which each word that is typed begins a word, of those that make sense now. */
export function commands(
  query: string,
  all: readonly Command[],
  holds: (context: string) => boolean,
): CommandOffer[] {
  const typed = words(query);
  return all
    .filter(({ id }) => !NOT_OFFERED.includes(id))
    .filter(({ title }) => typed.every((part) => words(title).some((word) => word.startsWith(part))))
    .filter(({ enablement = "" }) => enablement.split("&&").every((term) => is_true(term.trim(), holds)))
    .map(({ id, title, help }) => ({ kind: "command", command: id, title, help }));
}

function is_true(term: string, holds: (context: string) => boolean): boolean {
  return term === "" || (term.startsWith("!") ? !holds(term.slice(1)) : holds(term));
}

function words(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\d']+/u)
    .filter((word) => word !== "");
}
