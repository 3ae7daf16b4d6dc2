/** How long marks that nothing was written with wait for the next line of the file. */
const MARKS_MS = 1_000;

/** Marks alone may be lost: then the same is sent or read once more. So they wait for the next line, for a while. */
export class MarksLater {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly keep: () => Promise<void>) {}

  soon(): void {
    this.timer ??= setTimeout(() => void this.now(), MARKS_MS).unref();
  }

  /** Keeps those that wait. */
  async now(): Promise<void> {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.keep().catch(() => undefined);
  }
}
