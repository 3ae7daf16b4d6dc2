import type { Replica } from '@skerry/contracts';
import type { Entry, Journal } from './journal.js';

/** What happened shortly before it was noticed that the hub is away. */
const MAX_RECENT = 256;

interface Seen {
  restarts: number;
  phase: Replica['phase'];
}

/** A report as far as it matters here. */
export interface Report {
  project: string;
  name: string;
  replicas: readonly Pick<Replica, 'id' | 'restarts' | 'phase'>[];
}

export interface RunningReplica {
  id: string;
  startedAt: number;
}

/**
 * Tells the journal what becomes of replicas while the hub is away. While it is there the reports do, and nothing is written;
 * only the last of it is remembered, for the seconds before its absence was noticed.
 */
export class ReplicaWatch {
  private readonly seen = new Map<string, Map<string, Seen>>();
  private recent: Entry[] = [];
  private away = false;

  constructor(
    private readonly journal: Journal,
    private readonly allRunning: () => Iterable<RunningReplica>,
  ) {}

  /** The hub was last heard at this moment (ms since 1970). */
  begin(heardAtMs: number): void {
    this.away = true;
    const from = new Date(heardAtMs).toISOString();
    for (const entry of this.recent) if ((entry.at ?? '') >= from) this.journal.event(entry);
    this.recent = [];
  }

  end(): void {
    this.away = false;
  }

  running(): Map<string, number> {
    return new Map([...this.allRunning()].map(({ id, startedAt }) => [id, startedAt]));
  }

  /** A report was put into the outbox. */
  reported({ project, name, replicas }: Report): void {
    const key = `${project}.${name}`;
    const before = this.seen.get(key);
    const now = new Map(replicas.map(({ id, restarts, phase }) => [id, { restarts, phase }]));
    if (now.size === 0) this.seen.delete(key);
    else this.seen.set(key, now);
    // What was there before the first look is not news.
    if (before === undefined && !this.away) return;
    const counts = changes(before ?? new Map(), now);
    if (Object.keys(counts).length === 0) return;
    const entry: Entry = { what: 'replicas', project, name, counts, at: new Date().toISOString() };
    if (this.away) return this.journal.event(entry);
    this.recent.push(entry);
    if (this.recent.length > MAX_RECENT) this.recent.shift();
  }
}

function changes(before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (what: string, n: number) => {
    if (n > 0) counts[what] = (counts[what] ?? 0) + n;
  };
  for (const [id, { restarts, phase }] of now) {
    const was = before.get(id);
    add('restarts', restarts - (was?.restarts ?? restarts));
    if (phase === was?.phase) continue;
    add(phase, 1);
    if (was?.phase === 'running' && phase === 'backoff') add('ended', 1);
  }
  for (const id of before.keys()) if (!now.has(id)) add('gone', 1);
  return counts;
}
