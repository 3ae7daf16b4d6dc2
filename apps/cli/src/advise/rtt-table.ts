import { type Issue, LIMITS } from '@skerry/contracts';
import { CsvTable } from './csv-table.js';

const RTT_MAX_MS = 60_000;
const COLUMNS = {
  from: ['source', 'src'],
  to: ['target', 'dst', 'destination'],
  rttMs: ['rtt', 'ms', 'latencyMs'],
} as const;

/** Measured round trips in ms between places, whichever way they are named: of two directions the mean. */
export class RoundTrips {
  private readonly pairs = new Map<string, Map<string, number>>();

  /** Reads `from,to,rtt_ms`. Mistakes go to `issues`. */
  static read(path: string, issues: Issue[]): RoundTrips {
    const limits = { maxLines: LIMITS.adviseRttLines, limit: 'adviseRttLines' };
    const table = CsvTable.read(path, COLUMNS, limits, issues);
    const trips = new RoundTrips();
    if (!table.needs(['from', 'to', 'rttMs'], issues)) return trips;
    for (const line of table.lines) {
      const [from, to] = [line.text('from'), line.text('to')];
      const ms = line.decimal('rttMs', 0, RTT_MAX_MS);
      if (from === undefined) line.wrong('from', 'missing');
      if (to === undefined) line.wrong('to', 'missing');
      if (line.text('rttMs') === undefined) line.wrong('rttMs', 'missing');
      if (from === undefined || to === undefined || ms === undefined) continue;
      if (trips.pairs.get(from)?.has(to)) line.wrong('', `given before: ${from} to ${to}`);
      else trips.add(from, to, ms);
    }
    return trips;
  }

  /** Undefined when neither direction was measured. */
  between(a: string, b: string): number | undefined {
    const there = this.pairs.get(a)?.get(b);
    const back = this.pairs.get(b)?.get(a);
    if (there === undefined) return back;
    return back === undefined ? there : (there + back) / 2;
  }

  /** Every place that a line names. */
  places(): Set<string> {
    const all = new Set<string>();
    for (const [from, trips] of this.pairs) for (const to of trips.keys()) all.add(from).add(to);
    return all;
  }

  private add(from: string, to: string, ms: number): void {
    const known = this.pairs.get(from);
    if (known) known.set(to, ms);
    else this.pairs.set(from, new Map([[to, ms]]));
  }
}
