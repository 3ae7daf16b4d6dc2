import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import pc from 'picocolors';

/** Where a command writes: results to `out`, everything else to `err`. */
export interface Streams {
  out: NodeJS.WriteStream;
  err: NodeJS.WriteStream;
}

/** After this long without a result a person is told what is waited for. */
const PROGRESS_AFTER_MS = 2_000;
const PROGRESS_EVERY_MS = 1_000;

/** Everything that a command shows. With `json` results are one JSON value a line and nothing else goes to `out`. */
export class Terminal {
  readonly colours: ReturnType<typeof pc.createColors>;

  constructor(
    private readonly streams: Streams,
    readonly json: boolean,
    env: NodeJS.ProcessEnv,
  ) {
    this.colours = pc.createColors(streams.out.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
  }

  get interactive(): boolean {
    return this.streams.out.isTTY && !this.json;
  }

  /** Text for people; nothing with `json`. */
  say(text = ''): void {
    if (!this.json) this.streams.out.write(`${text}\n`);
  }

  /** A result: JSON with `json`, else what `human` shows. */
  result(value: unknown, human: () => void): void {
    if (this.json) this.streams.out.write(`${JSON.stringify(value)}\n`);
    else human();
  }

  /** A note beside the results. */
  note(text: string): void {
    this.streams.err.write(`${this.colours.dim(text)}\n`);
  }

  error(text: string): void {
    this.streams.err.write(`${text}\n`);
  }

  /** What to try next: the last lines of every output for people. */
  next(...commands: string[]): void {
    if (this.json) return;
    this.say();
    for (const [i, command] of commands.entries())
      this.say(`${i === 0 ? 'next:' : '     '} ${this.colours.cyan(command)}`);
  }

  /** A table without lines. Cells come from the cloud: control characters in them are taken out. */
  table(head: string[], rows: string[][]): void {
    if (this.json) return;
    const table = new Table({
      head: head.map((text) => this.colours.bold(text)),
      chars: BORDERLESS,
      style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [] },
    });
    table.push(...rows.map((row) => row.map((cell) => cell)));
    for (const line of table.toString().split('\n')) this.say(line.trimEnd());
  }

  /** Waits for `work`; when it takes longer than 2 s, says what is waited for, which may change meanwhile. */
  async during<T>(what: string | (() => string), work: Promise<T>): Promise<T> {
    const now = typeof what === 'string' ? () => what : what;
    const began = performance.now();
    const { err } = this.streams;
    let told = false;
    const tell = () => {
      const seconds = Math.round((performance.now() - began) / 1_000);
      if (err.isTTY) err.write(`\r\u001b[K${now()} … ${seconds} s`);
      else if (!told) err.write(`${now()} …\n`);
      told = true;
    };
    let every: NodeJS.Timeout | undefined;
    const first = setTimeout(() => {
      tell();
      every = setInterval(tell, PROGRESS_EVERY_MS);
    }, PROGRESS_AFTER_MS);
    try {
      return await work;
    } finally {
      clearTimeout(first);
      clearInterval(every);
      if (told && err.isTTY) err.write('\r\u001b[K');
    }
  }

  /** Does work that lets nothing else happen; when it takes longer than 2 s, says at each step how far it is. */
  stepwise<T>(what: string, work: (onStep: (done: number, of: number) => void) => T): T {
    const began = performance.now();
    const { err } = this.streams;
    let told = false;
    const result = work((done, of) => {
      if (performance.now() - began < PROGRESS_AFTER_MS) return;
      if (err.isTTY) err.write(`\r${what} … ${done} of ${of}`);
      else if (!told) err.write(`${what} …\n`);
      told = true;
    });
    if (told && err.isTTY) err.write('\r\u001b[K');
    return result;
  }

  /** Draws over what was drawn before (on a terminal that can). */
  redraw(draw: () => void): void {
    this.streams.out.write('\u001b[H\u001b[2J');
    draw();
  }
}

/** Text from a replica or a site as it may be shown: nothing in it can steer the terminal. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
