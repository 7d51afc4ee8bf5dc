/**
 * The pictures beside the prompt box, kept while its page is thrown away. They are too large for what the editor
 * keeps for a page, all of which it reads when a window is opened.
 */
import * as vscode from "vscode";
import type { Mention } from "./items";

export class Pictures {
  private readonly file: vscode.Uri;
  /** One change after the other, and what is read is what was written last. */
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly dir: vscode.Uri) {
    this.file = vscode.Uri.joinPath(dir, "pictures.json");
  }

  keep(pictures: Mention[]): Promise<void> {
    const { fs } = vscode.workspace;
    this.turn = this.turn
      .catch(() => undefined) // told to who asked for it
      .then(async () => {
        if (pictures.length === 0) {
          await fs.delete(this.file).then(undefined, () => undefined); // none were kept
        } else {
          await fs.createDirectory(this.dir);
          await fs.writeFile(this.file, Buffer.from(JSON.stringify(pictures)));
        }
      });
    return this.turn;
  }

  async kept(): Promise<Mention[]> {
    await this.turn.catch(() => undefined);
    try {
      return JSON.parse(Buffer.from(await vscode.workspace.fs.readFile(this.file)).toString());
    } catch {
      return []; // there are none
    }
  }
}
