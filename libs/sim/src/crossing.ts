import type { Link } from './link.js';

interface Settling<T> {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

/** Hands on what a promise comes to, by way of `carry`. */
export function carryOver<T>(
  promise: Promise<T>,
  carry: (settle: () => void) => void,
  { resolve, reject }: Settling<T>,
): void {
  promise.then(
    (value) => carry(() => resolve(value)),
    (error: unknown) => carry(() => reject(error)),
  );
}

/** From the server into the client's process and back, over connections that break. */
export class Crossing {
  private readonly breaks = new Set<() => void>();
  private readonly openings = new Set<() => void>();

  constructor(private readonly link: Link) {}

  /** The connection broke, or is there again. */
  turn(open: boolean): void {
    // Those of now: who is told may wait for the next.
    const told = [...(open ? this.openings : this.breaks)];
    for (const tell of told) tell();
  }

  /** Called in the client's process when the connection breaks; returns how to stop. */
  onBreak(listener: () => void): () => void {
    const { client } = this.link;
    const tell = () => {
      this.breaks.delete(tell);
      client.timeline.after(0, client, listener);
    };
    this.breaks.add(tell);
    return () => this.breaks.delete(tell);
  }

  /** Has the client do something and brings back what comes of it; `lost` when the connection breaks before. */
  round<T>(act: () => T | Promise<T>, lost?: T): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.breaks.delete(end);
        if (lost !== undefined) resolve(lost);
      };
      this.breaks.add(end);
      const back = (settle: () => void) =>
        this.link.send('up', () => {
          this.breaks.delete(end);
          settle();
        });
      if (!this.link.connected) return end();
      this.link.send('down', () => carryOver(attempt(act), back, { resolve, reject }));
    });
  }

  /** Has the client do something, once, however often the connection breaks before it begins. */
  deliver(act: () => void | Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      let begun = false;
      const send = () => {
        this.openings.delete(send);
        if (begun) return;
        const again = () => {
          this.breaks.delete(again);
          if (!begun) this.openings.add(send);
        };
        if (!this.link.connected) return void this.openings.add(send);
        this.breaks.add(again);
        this.link.send('down', () => {
          this.breaks.delete(again);
          if (begun) return;
          begun = true;
          attempt(act).then(resolve, reject);
        });
      };
      send();
    });
  }

  /** What a promise of the server's side comes to, told in the client's process. */
  home<T>(promise: Promise<T>): Promise<T> {
    const { client } = this.link;
    return new Promise((resolve, reject) => {
      carryOver(promise, (settle) => client.timeline.after(0, client, settle), { resolve, reject });
    });
  }
}

async function attempt<T>(act: () => T | Promise<T>): Promise<T> {
  return await act();
}
