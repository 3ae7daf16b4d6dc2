import { cpus, totalmem } from 'node:os';

export interface Figure {
  name: string;
  value: number;
  unit: string;
}

/** Collects figures and prints them as they come: one JSON object a line with `--json`, else aligned for a person. */
export class Report {
  readonly figures: Figure[] = [];
  constructor(private readonly json: boolean) {}

  add(name: string, value: number, unit: string): void {
    const figure = { name, value: Math.round(value * 100) / 100, unit };
    this.figures.push(figure);
    process.stdout.write(
      this.json
        ? `${JSON.stringify(figure)}\n`
        : `  ${name.padEnd(44)} ${String(figure.value).padStart(12)} ${unit}\n`,
    );
  }

  /** A line for people: beside the figures with `--json`. */
  say(line: string): void {
    (this.json ? process.stderr : process.stdout).write(`${line}\n`);
  }

  /** The machine and the versions that the figures belong to; `natsVersion` when a server takes part in them. */
  machine(natsVersion?: string): void {
    const [cpu] = cpus();
    const server =
      natsVersion === undefined
        ? ''
        : `, nats-server ${natsVersion}, JetStream R1 with sync_interval: always`;
    this.say(
      `${cpus().length} x ${cpu?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.versions.node}${server}`,
    );
  }
}

/** The value below which `share` (0 to 1) of the samples lie: nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
