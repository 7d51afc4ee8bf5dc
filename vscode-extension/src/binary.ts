/** Finds the `opal` program: the one that is set, the one that came along, the one on PATH. */
import { execFile } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The first version whose protocol this extension speaks. */
export const OLDEST_VERSION = "0.1.0";
const VERSION_TIMEOUT_MS = 5000;

/** Why the server cannot be started: for people. */
export class NoServer extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export interface Where {
  /** The setting `opal.path`. */
  configured: string;
  extension_dir: string;
  /** The variable PATH. */
  path: string;
  platform: NodeJS.Platform;
  home: string;
}

/** Where `opal` may be, best first. What is set is meant: then there is no other. */
export function candidates(where: Where): string[] {
  const name = where.platform === "win32" ? "opal.exe" : "opal";
  const configured = where.configured.trim().replace(/^~(?=[/\\])/, where.home);
  const on_path = (file: string) =>
    where.path
      .split(delimiter)
      // An empty or relative entry is the folder that is open: its programs are not Opal's.
      .filter((dir) => isAbsolute(dir))
      .map((dir) => join(dir, file));
  if (configured !== "") {
    if (isAbsolute(configured)) {
      return [configured];
    }
    return /[/\\]/.test(configured) ? [] : on_path(configured);
  }
  return [join(where.extension_dir, "bin", name), ...on_path(name)];
}

export async function find(where: Where): Promise<string> {
  for (const candidate of candidates(where)) {
    try {
      if (!(await stat(candidate)).isFile()) {
        continue;
      }
      await access(candidate, where.platform === "win32" ? constants.F_OK : constants.X_OK);
      return candidate;
    } catch {
      // The next one, then.
    }
  }
  throw where.configured.trim() === ""
    ? new NoServer(
        "Opal's server was not found.",
        "Install `opal`, or say in the setting opal.path where it is.",
      )
    : new NoServer(
        `Opal's server cannot be run: ${where.configured}`,
        "Name a whole path or a program on PATH in the setting opal.path, or leave it empty.",
      );
}

/** The program's version, or why it has none that fits. */
export async function check_version(program: string, env: NodeJS.ProcessEnv): Promise<string> {
  const output = await new Promise<string>((resolve, reject) => {
    execFile(program, ["--version"], { env, timeout: VERSION_TIMEOUT_MS }, (error, stdout) => {
      if (error) {
        reject(new NoServer(`${program} does not start: ${error.message}`, "Check the setting opal.path."));
      } else {
        resolve(stdout);
      }
    });
  });
  const version = parse_version(output);
  if (version === undefined) {
    throw new NoServer(`${program} is not Opal.`, "Check the setting opal.path.");
  }
  if (is_older(version, OLDEST_VERSION)) {
    throw new NoServer(
      `${program} is Opal ${version}; this extension needs ${OLDEST_VERSION} or later.`,
      "Install a newer version of opal.",
    );
  }
  return version;
}

export function parse_version(output: string): string | undefined {
  return /^opal (\d+\.\d+\.\d+\S*)/.exec(output.trim())?.[1];
}

export function is_older(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(/[.+-]/, 3).map(Number)) as [number[], number[]];
  for (const [idx, part] of b.entries()) {
    const other = a[idx] ?? 0;
    if (other !== part) {
      return other < part;
    }
  }
  return false;
}
