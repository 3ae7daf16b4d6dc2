import pc from 'picocolors';

/** Says what is going on: on a terminal the last line is rewritten with the seconds it takes, elsewhere each step is one line. */
export class Progress {
  private readonly startedAt = performance.now();
  private step: { text: string; since: number } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly live: boolean = out.isTTY,
  ) {}

  /** Begins a step; the one before counts as done. */
  begin(text: string): void {
    this.end();
    this.step = { text, since: performance.now() };
    if (!this.live) {
      this.out.write(`${this.elapsed()}  ${text}\n`);
      return;
    }
    this.draw('…');
    this.timer = setInterval(() => this.draw('…'), 250);
  }

  /** Changes the text of the running step. */
  update(text: string): void {
    if (this.step === undefined || this.step.text === text) return;
    this.step.text = text;
    if (this.live) this.draw('…');
    else this.out.write(`${this.elapsed()}  ${text}\n`);
  }

  /** Something worth a line of its own, in between. */
  note(text: string): void {
    if (this.live) this.out.write(`\r\u001b[K${pc.yellow('!')} ${text}\n`);
    else this.out.write(`${this.elapsed()}  ! ${text}\n`);
  }

  end(): void {
    clearInterval(this.timer);
    if (this.step !== undefined && this.live) this.draw(pc.green('✓'), '\n');
    this.step = undefined;
  }

  private draw(mark: string, ending = ''): void {
    if (this.step === undefined) return;
    const seconds = ((performance.now() - this.step.since) / 1000).toFixed(1);
    this.out.write(`\r\u001b[K${mark} ${this.step.text} ${pc.dim(`${seconds} s`)}${ending}`);
  }

  private elapsed(): string {
    return `${((performance.now() - this.startedAt) / 1000).toFixed(1).padStart(5)} s`;
  }
}
