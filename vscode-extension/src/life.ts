/**
 * The life of something of which there is one, started when it is first needed: stopped, starting, running. Whoever
 * needs it while it starts waits for that one. A start that failed leaves it stopped: who needs it next tries again.
 * Pure.
 */

export interface Ways<T> {
  /** Fails if it does not come to run; soon if it is to stop before. `died`: it has ended by itself. */
  start(stop: AbortSignal, died: () => void): Promise<T>;
  /** Never fails. */
  end(it: T): Promise<void>;
  /** What was running has ended by itself, and is stopped now. */
  on_died(): void;
}

type State<T> =
  | { is: "stopped"; gone: Promise<void> }
  | { is: "starting"; coming: Promise<T>; stop: AbortController }
  | { is: "running"; it: T };

export class Life<T> {
  private state: State<T> = { is: "stopped", gone: Promise.resolve() };

  constructor(private readonly ways: Ways<T>) {}

  async running(): Promise<T> {
    const { state } = this;
    switch (state.is) {
      case "running":
        return state.it;
      case "starting":
        return state.coming;
      case "stopped":
        return this.start(state.gone);
    }
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    const { state } = this;
    if (state.is === "stopped") {
      return state.gone;
    }
    const gone =
      state.is === "running"
        ? this.ways.end(state.it)
        : state.coming.then(
            (it) => this.ways.end(it),
            () => undefined, // told to those who waited for it
          );
    this.state = { is: "stopped", gone };
    if (state.is === "starting") {
      state.stop.abort();
    }
    return gone;
  }

  private start(gone: Promise<void>): Promise<T> {
    const stop = new AbortController();
    let is_dead = false;
    let current: State<T>;
    const become = (next: State<T>) => {
      if (this.state === current) {
        this.state = current = next;
        return true;
      }
      return false; // it was stopped, or is another one's by now
    };
    const stopped = (): State<T> => ({ is: "stopped", gone: Promise.resolve() });
    const died = () => {
      is_dead = true;
      // What dies while it starts has failed to start.
      if (current.is === "running" && become(stopped())) {
        this.ways.on_died();
      }
    };
    const coming = gone
      .then(() => this.ways.start(stop.signal, died))
      .then(
        (it) => {
          become({ is: "running", it });
          if (is_dead) {
            died();
          }
          return it;
        },
        (error) => {
          become(stopped());
          throw error;
        },
      );
    this.state = current = { is: "starting", coming, stop };
    return coming;
  }
}
