import type { Outcome } from './scenario.js';

/** What became of a seed, as one process tells another. */
export interface Told extends Omit<Outcome, 'transcript'> {
  /** The last lines of its transcript, when it failed. */
  tail?: string;
}

/** What a run of many seeds says with `--json`. */
export interface Report {
  seeds: number;
  steps: number;
  virtualS: number;
  seconds: number;
  cpuS: number;
  seedsPerS: number;
  failed: { seed: number; invariant: string; detail: string }[];
  /** Of the last transcript. */
  digest: string;
}

/** Between two lines of progress. */
const PROGRESS_S = 10;
const TAIL_LINES = 40;

/** Virtual time may replace the usual clocks later. */
const realTime = process.hrtime.bigint.bind(process.hrtime);
export const seconds = () => Number(realTime()) / 1e9;

export function toldOf({ transcript, ...outcome }: Outcome): Told {
  return outcome.broken === undefined ? outcome : { ...outcome, tail: transcript.text(TAIL_LINES) };
}

/** Adds up what becomes of seeds, and says so as they come. */
export class Tally {
  readonly report: Report = {
    seeds: 0,
    steps: 0,
    virtualS: 0,
    seconds: 0,
    cpuS: 0,
    seedsPerS: 0,
    failed: [],
    digest: '',
  };
  private readonly began = seconds();
  private said = this.began;

  constructor(
    private readonly of: number,
    private readonly silent: boolean,
  ) {}

  get forS(): number {
    return seconds() - this.began;
  }

  add({ seed, steps, tookMs, digest, broken, tail }: Told): void {
    const { report } = this;
    report.seeds += 1;
    report.steps += steps;
    report.virtualS += tookMs / 1_000;
    report.digest = digest;
    if (broken !== undefined) {
      report.failed.push({ seed, ...broken });
      this.print(
        `${tail ?? ''}\nseed ${seed} breaks "${broken.invariant}": ${broken.detail}\nagain: npm run sim -- --seed ${seed}\n`,
      );
    }
    if (seconds() - this.said < PROGRESS_S) return;
    this.said = seconds();
    const failed = report.failed.map((f) => f.seed).join(', ');
    process.stderr.write(
      `${report.seeds} of ${this.of} seeds, ${report.steps} steps, ${report.failed.length} failed${failed && `: ${failed}`}\n`,
    );
  }

  /** `cpuS`: seconds of processor that it has taken. */
  end(cpuS: number): Report {
    const { report } = this;
    report.seconds = this.forS;
    report.cpuS = cpuS;
    report.seedsPerS = report.seeds / report.seconds;
    const { seeds, steps, virtualS, failed, seedsPerS } = report;
    this.print(
      `${seeds} seeds, ${steps} steps, ${(virtualS / 3_600).toFixed(1)} h of virtual time, ${failed.length} failed; ` +
        `${report.seconds.toFixed(1)} s (${cpuS.toFixed(1)} s of processor), ${seedsPerS.toFixed(1)} seeds/s`,
    );
    return report;
  }

  private print(text: string): void {
    if (!this.silent) process.stdout.write(`${text}\n`);
  }
}

/** Seconds of processor that this process has taken. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
