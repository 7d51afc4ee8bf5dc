/** The extension, as seen from the page. */
import type { FromView, Mention } from "../items";

/** What the page remembers while it is thrown away. */
export interface Kept {
  draft: string;
  mentions: Mention[];
  history: string[];
}

interface Host {
  postMessage(message: FromView): void;
  getState(): Partial<Kept> | undefined;
  setState(state: Kept): void;
}

declare function acquireVsCodeApi(): Host;

export const host = acquireVsCodeApi();

export function post(message: FromView): void {
  host.postMessage(message);
}
