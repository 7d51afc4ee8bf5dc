/**
 * Reviewing what the session changed: diffs in the editor's own diff editors, kept or taken back file by file
 * or hunk by hunk. Taking back is the server's; what was kept is remembered here, for it changes nothing.
 */
import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import * as vscode from "vscode";
import { type Agent, is_lost, Refused } from "./agent";
import { before, by_file, parse_diff } from "./diff";
import type { ChangedFile, ToView } from "./items";
import * as protocol from "./protocol";
import { report } from "./report";
import { without_links } from "./words";

const SCHEME = "opal-text";
const KEPT_KEY = "opal.kept";
const MOST_KEPT = 2000;
/** A run makes many edits; the list is read when they pause. */
const REFRESH_MS = 200;

type Changes = Extract<ToView, { type: "changes" }>;

export class Review
  implements vscode.Disposable, vscode.TextDocumentContentProvider, vscode.CodeLensProvider
{
  private files: protocol.FileChanges[] = [];
  private ran_commands = 0;
  /** What was taken back here, latest last. */
  private undone: { session: string; turn_id: string }[] = [];
  /** Texts that a diff editor shows beside a file, by their address. */
  private readonly texts = new Map<string, string>();
  private refreshing: NodeJS.Timeout | undefined;

  private readonly listed = new vscode.EventEmitter<Changes>();
  private readonly lenses = new vscode.EventEmitter<void>();
  readonly on_changes = this.listed.event;
  readonly onDidChangeCodeLenses = this.lenses.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly agent: Agent,
    private readonly memory: vscode.Memento,
  ) {
    this.subscriptions = [
      agent.on_edited(() => this.refresh()),
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.languages.registerCodeLensProvider({ scheme: "file" }, this),
      // A hunk is where it is in the text of now.
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        if (this.files.some((file) => same_file(file.uri, uri))) {
          this.refresh();
        }
      }),
      this.listed,
      this.lenses,
    ];
  }

  /** Reads soon what is changed, and tells those who show it. */
  refresh(): void {
    clearTimeout(this.refreshing);
    this.refreshing = setTimeout(() => {
      if (!this.agent.is_attached) {
        return; // nobody has asked for a server to be started
      }
      this.read().catch((error) => (is_lost(error) ? undefined : report(error))); // read again with the next server
    }, REFRESH_MS);
  }

  /** Opens all changes as one diff. */
  async open(): Promise<void> {
    await this.read();
    const files = this.files.filter((file) => !file.error);
    if (files.length === 0) {
      const note = this.ran_commands > 0 ? " Commands may have changed more." : "";
      void vscode.window.showInformationMessage(`Opal: no file differs from what the session found.${note}`);
      return;
    }
    const resources = await Promise.all(
      files.map(async (file) => {
        const uri = vscode.Uri.parse(file.uri);
        const text = file.created ? "" : before(await text_of(uri), file.diff);
        if (text === undefined) {
          throw new Refused(`${file.path} has changed meanwhile.`, "Open the review again.");
        }
        return [uri, this.show_as(uri, text), uri];
      }),
    );
    await vscode.commands.executeCommand("vscode.changes", "Opal: Changes of This Session", resources);
  }

  /** Shows a change beside the files as they stand. */
  async show_diff(
    path: string,
    diff: string,
    apply: (text: string, diff: string) => string | undefined,
    side: "left" | "right",
  ): Promise<void> {
    const joined = by_file(diff);
    const files = path === "" || joined.length > 1 ? joined : [{ path, diff }];
    const compared = await Promise.all(
      files.map(async (file) => {
        const uri = this.file_uri(file.path);
        const other = apply(await text_of(uri), file.diff);
        return { uri, other };
      }),
    );
    const by = side === "left" ? "Changed by Opal" : "Proposed by Opal";
    const sides: [vscode.Uri, vscode.Uri, vscode.Uri][] = [];
    for (const { uri, other } of compared) {
      if (other === undefined) {
        // The file has changed since; the change itself can still be read.
        const change = this.show_as(vscode.Uri.file(`/${by}.diff`), diff);
        await vscode.window.showTextDocument(change, { preview: true });
        return;
      }
      const shown = this.show_as(uri, other);
      sides.push(side === "left" ? [uri, shown, uri] : [uri, uri, shown]);
    }
    const [first] = sides;
    if (first && sides.length === 1) {
      const [uri, left, right] = first;
      const title = `${vscode.workspace.asRelativePath(uri)} (${by})`;
      await vscode.commands.executeCommand("vscode.diff", left, right, title, { preview: true });
    } else {
      await vscode.commands.executeCommand("vscode.changes", `${sides.length} Files (${by})`, sides);
    }
  }

  /** Accepts a hunk, a file, or everything. */
  async keep(uri?: string, hunk_id?: string): Promise<void> {
    const hunks = this.files
      .filter((file) => uri === undefined || file.uri === uri)
      .flatMap((file) => file.hunks.map((hunk) => key(file.uri, hunk.hunk_id, hunk_id)));
    const kept = [...this.kept(), ...hunks.filter((hunk) => hunk !== undefined)];
    await this.memory.update(KEPT_KEY, [...new Set(kept)].slice(-MOST_KEPT));
    this.tell();
  }

  async undo(params: Omit<protocol.SessionUndoParams, "session_id">): Promise<void> {
    await this.show_undone(await this.agent.request(protocol.sessionUndo, params));
  }

  /** Brings again what was taken back last. */
  async redo(): Promise<void> {
    const { id } = await this.agent.ready();
    const last = this.undone.findLast(({ session }) => session === id);
    if (!last) {
      throw new Refused("Nothing was taken back here that could be brought again.");
    }
    const result = await this.agent.request(protocol.sessionUndo, { turn_id: last.turn_id });
    this.undone = this.undone.filter((undo) => undo !== last);
    await this.show_result(result);
  }

  /** Says which files were left as they are, and why. */
  async show_undone(result: protocol.SessionUndoResult): Promise<void> {
    const session = this.agent.session?.id;
    if (result.turn_id && session) {
      this.undone.push({ session, turn_id: result.turn_id });
    }
    await this.show_result(result);
  }

  private async show_result({ files, conflicts }: protocol.SessionUndoResult): Promise<void> {
    this.refresh();
    if (conflicts.length === 0) {
      if (files.length === 0) {
        void vscode.window.showInformationMessage("Opal: the files stand so already.");
      }
      return;
    }
    const reasons = without_links(conflicts.map(({ path, reason }) => `${path}: ${reason}`).join("; "));
    const show = "Show What Clashes";
    const chosen = await vscode.window.showWarningMessage(`Opal left files as they are. ${reasons}`, show);
    if (chosen === show) {
      const content = conflicts
        .map(({ path, reason, shown }) => `${path}: ${reason}\n\n${shown ?? ""}`)
        .join("\n");
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content }));
    }
  }

  /** Takes back the hunk at the cursor. */
  async undo_hunk_at(editor: vscode.TextEditor): Promise<void> {
    await this.read();
    const line = editor.selection.active.line + 1;
    for (const file of this.files.filter((changed) => same_file(changed.uri, editor.document.uri))) {
      const hunk = file.hunks.find(
        ({ new_start, new_lines }) => line >= new_start && line <= new_start + Math.max(new_lines - 1, 0),
      );
      if (hunk) {
        await this.undo({ path: file.uri, hunk_id: hunk.hunk_id });
        return;
      }
    }
    throw new Refused("Opal has changed nothing at the cursor.", "Opal: Review Changes shows what it has.");
  }

  file_uri(path: string): vscode.Uri {
    if (path.startsWith("file:")) {
      return vscode.Uri.parse(path);
    }
    const base = this.agent.session?.working_dir ?? "";
    return isAbsolute(path) || base === ""
      ? vscode.Uri.file(path)
      : vscode.Uri.joinPath(vscode.Uri.file(base), path);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(String(uri)) ?? "";
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const file = this.files.find((changed) => same_file(changed.uri, document.uri));
    const kept = this.kept();
    return (file?.hunks ?? [])
      .filter(({ hunk_id }) => file && !kept.has(key(file.uri, hunk_id)))
      .flatMap(({ hunk_id, new_start }, idx) => {
        const first = parse_diff(file?.diff ?? "")[idx];
        // The hunk begins with lines that are only there to be recognised.
        const context = first?.lines.findIndex((line) => !line.startsWith(" ")) ?? 0;
        const row = Math.min(Math.max(new_start - 1 + Math.max(context, 0), 0), document.lineCount - 1);
        const range = new vscode.Range(row, 0, row, 0);
        const lens = (title: string, command: string) =>
          new vscode.CodeLens(range, { title, command, arguments: [file?.uri, hunk_id] });
        return [lens("Keep", "opal.keepHunk"), lens("Undo", "opal.undoHunkById")];
      });
  }

  dispose(): void {
    clearTimeout(this.refreshing);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private async read(): Promise<void> {
    if (!this.agent.session) {
      this.files = [];
      this.ran_commands = 0;
    } else {
      const changes = await this.agent.request(protocol.sessionChanges, {});
      this.files = changes.files;
      this.ran_commands = changes.ran_commands.length;
    }
    this.tell();
  }

  private tell(): void {
    const kept = this.kept();
    const files = this.files.map((file) => to_view(file, kept)).filter((file) => file !== undefined);
    const uris = this.files.map(({ uri }) => vscode.Uri.parse(uri).toString());
    void vscode.commands.executeCommand("setContext", "opal.changed", uris);
    this.lenses.fire();
    this.listed.fire({ type: "changes", files, ran_commands: this.ran_commands });
  }

  private kept(): Set<string> {
    return new Set(this.memory.get<string[]>(KEPT_KEY));
  }

  /**
   * A read-only document with this text, named like the file so that it is coloured like it. Another text of the file
   * is another document: a diff that is open stays what it is.
   */
  private show_as(uri: vscode.Uri, text: string): vscode.Uri {
    const query = createHash("sha256").update(text).digest("hex");
    const shown = uri.with({ scheme: SCHEME, query, fragment: "" });
    this.texts.set(String(shown), text);
    return shown;
  }
}

function key(uri: string, hunk_id: string, wanted?: string): string;
function key(uri: string, hunk_id: string, wanted: string | undefined): string | undefined;
function key(uri: string, hunk_id: string, wanted?: string): string | undefined {
  return wanted === undefined || wanted === hunk_id ? `${hunk_id} ${uri}` : undefined;
}

/** What of a file is still to be reviewed. */
function to_view(file: protocol.FileChanges, kept: Set<string>): ChangedFile | undefined {
  const parsed = parse_diff(file.diff);
  const hunks = file.hunks
    .map(({ hunk_id }, idx) => ({
      hunk_id,
      header: parsed[idx]?.header ?? "",
      lines: parsed[idx]?.lines.join("\n") ?? "",
    }))
    .filter(({ hunk_id }) => !kept.has(key(file.uri, hunk_id)));
  const { uri, path, added_lines: added, removed_lines: removed, error } = file;
  return hunks.length === 0 && !error ? undefined : { uri, path, added, removed, error, hunks };
}

/** The text as it stands: that of the editor, else that of the disk; nothing if there is no such file. */
async function text_of(uri: vscode.Uri): Promise<string> {
  try {
    return (await vscode.workspace.openTextDocument(uri)).getText();
  } catch {
    return "";
  }
}

function same_file(uri: string, other: vscode.Uri): boolean {
  return vscode.Uri.parse(uri).toString() === other.toString();
}
