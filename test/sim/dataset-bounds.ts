import type {
  ConflictRule,
  Dataset,
  DatasetEntry,
  DatasetSpec,
  LogFlow,
  OriginRule,
  RecordState,
} from '@skerry/contracts';
import { showState } from '@skerry/domain';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import type { Counted, Entry } from './dataset-accounts.js';
import type { DatasetOwner } from './dataset-owner.js';
import type { Broken } from './invariants.js';
import type { SimNode } from './sim-node.js';

type Copy = NonNullable<ReturnType<NonNullable<SimNode['agent']>['copies']['get']>>['copy'];
type Where = Pick<Dataset, 'name' | 'incarnation' | 'spec'>;

const AREAS = ['eu', 'us', 'ch'];
/** Times to live: over while things break, over when all is mended, and not over before the end. */
const TTLS_MS = [2_000, 4_000, 10_000, 30_000, 100_000, 900_000];
/** Of values that are JSON objects, what other areas may know. */
const OPEN = 'open';
/** Two clocks are at most so far apart, and a site's clock from the true one half as far. */
const APART_MS = 4_100;
const OFF_MS = 2_050;
/** More keys than there are. */
const ALL_KEYS = 100_000;

/** The area of `among` that a site is in; undefined: it may have no copy. */
export function areaOf(
  residency: DatasetSpec['residency'],
  jurisdictions: readonly string[],
): string | undefined {
  const among = typeof residency?.origin === 'object' ? residency.origin.among : [];
  const [area, ...more] = jurisdictions.filter((j) => among.includes(j));
  return more.length === 0 ? area : undefined;
}

/** How long values live, and whether records stay in areas: one of them, or both. `gentle`: every site is in an area. */
export function drawBounds(
  random: Random,
  gentle: boolean,
): { conflicts: ConflictRule; ttlMs?: number; origin?: OriginRule } {
  const [ttlMs, areas] = [
    drawTtl(random),
    random.chance(0.6) ? AREAS : AREAS.slice(random.whole(0, 1)).slice(0, 2),
  ];
  const keep = random.chance(0.6);
  const rule = random.pick(['newest', 'newest', 'keep-both', 'counter', 'set'] as const);
  const kind = random.weighted({ ttl: 3, areas: 3, both: 1 });
  if (kind === 'ttl') return { conflicts: random.chance(0.8) ? 'newest' : 'single-writer', ttlMs };
  const conflicts = kind === 'both' ? 'newest' : rule;
  const hasFields = conflicts === 'newest' || conflicts === 'keep-both';
  const origin: OriginRule = {
    among: gentle ? AREAS : areas,
    elsewhere: keep && hasFields ? { keep: [OPEN] } : 'nothing',
  };
  return { conflicts, origin, ...(kind === 'both' ? { ttlMs } : {}) };
}

/** Where entries of a log go, and whether they stay in areas. */
export function drawLog(random: Random, gentle: boolean): { flow: LogFlow; origin?: OriginRule } {
  const flow = random.weighted({ mesh: 6, collect: 2, broadcast: 2 });
  const [among, stays] = [random.chance(0.6) ? AREAS : AREAS.slice(1), random.chance(0.3)];
  const keep = random.chance(0.6) && flow === 'mesh';
  const origin: OriginRule = {
    among: gentle ? AREAS : among,
    elsewhere: keep ? { keep: [OPEN] } : 'nothing',
  };
  return stays && flow !== 'broadcast' ? { flow, origin } : { flow };
}

export function drawTtl(random: Random): number {
  return random.pick(TTLS_MS);
}

/** A value that says in which area it was written, beside what others may know of it. */
export function valueIn(area: string, name: string): string {
  return JSON.stringify({ [OPEN]: name, only: mark(area, name) });
}

/** What stays in its area. */
export function mark(area: string, name: string): string {
  return `only-${area}-${name}`;
}

const MARK = /only-([a-z]+)-/g;

/** What has to hold of values that run out, and of records that stay where they were written. */
export class DatasetBounds {
  constructor(
    private readonly cloud: Cloud,
    private readonly owner: DatasetOwner,
    private readonly fail: (broken: Broken) => void,
  ) {}

  /** From now on looks at all that goes down to sites. */
  watch(): void {
    for (const site of this.cloud.sites)
      site.onCrossing(({ way, subject, bytes }) => {
        if (way !== 'down') return;
        const stranger = strangerIn(Buffer.from(bytes).toString(), site.spec.jurisdictions);
        if (stranger !== undefined)
          this.fail({ invariant: 'areas', detail: `${stranger} goes down to ${site.name} with ${subject}` });
      });
  }

  /** The area of a dataset that a site is in; undefined where it has none. */
  areaAt({ spec }: Pick<Dataset, 'spec'>, site: string): string | undefined {
    return areaOf(spec.residency, this.cloud.site(site).spec.jurisdictions);
  }

  /** What is written at a site: without areas just this. */
  valueAt(name: string, site: string, value: string): string {
    const dataset = this.owner.current(name);
    const area = dataset && this.areaAt(dataset, site);
    if (dataset === undefined || area === undefined) return value;
    return dataset.spec.conflicts === 'set' ? mark(area, value) : valueIn(area, value);
  }

  /** Somebody has read a key at a site; `askedMs`: when that began. */
  read(
    name: string,
    seen: DatasetEntry | undefined,
    { site, askedMs, entries }: { site: string; askedMs: number; entries: readonly Entry[] },
  ): void {
    const { jurisdictions } = this.cloud.site(site).spec;
    const stranger = seen && strangerIn(JSON.stringify(seen), jurisdictions);
    if (stranger !== undefined)
      this.fail({ invariant: 'areas', detail: `${stranger} of ${name} is shown at ${site}` });
    const written = entries.find((e) => e.verb === 'put' && e.value === seen?.value);
    const ttlMs = Math.max(...this.ttlsOf(name, written?.incarnation));
    if (written?.ackMs === undefined || askedMs <= written.ackMs + ttlMs + APART_MS) return;
    const ageS = (askedMs - written.ackMs) / 1_000;
    const detail = `${written.value} of ${name} is shown at ${site} ${ageS} s after it was written, and lives for ${ttlMs} ms`;
    this.fail({ invariant: 'expired', detail });
  }

  /** What has run out by now, or may have, need not be there. */
  counted(dataset: Where, entry: Counted): Counted {
    const ttlMs = Math.min(...this.ttlsOf(dataset.name, dataset.incarnation));
    const nowMs = this.cloud.timeline.now;
    const lives = entry.startMs - OFF_MS + ttlMs > nowMs;
    return lives ? entry : { ...entry, sure: false };
  }

  /** How a copy differs from what the hub has (`states`) of its area, or knows of others; undefined: not at all. By one clock. */
  differs(
    { name, spec }: Where,
    copy: Copy,
    states: (area: string | undefined) => ReadonlyMap<string, RecordState>,
  ): string | undefined {
    const { area, ttlMs } = copy.rule;
    const how = { ttlMs, nowMs: Date.now() };
    if (ttlMs !== undefined) {
      const there = states(area);
      const keys = copy.held.firstAfter({ after: '', limit: ALL_KEYS, accepts: () => true });
      for (const key of new Set([...keys, ...there.keys()])) {
        const state = there.get(key);
        const [mine, hubs] = [copy.show(key)?.value, state && showState(state, how)?.value];
        if (mine !== hubs) return `${name}/${key} shows ${mine}, and at the hub ${hubs}`;
      }
    }
    const { origin } = spec.residency ?? {};
    if (typeof origin !== 'object') return undefined;
    for (const other of origin.among.filter((a) => a !== area)) {
      const known = origin.elsewhere === 'nothing' ? new Map<string, RecordState>() : states(other);
      for (const [key, state] of known) {
        const mine = copy.elsewhere.show(key, how).find((one) => one.area === other)?.shown;
        const wanted = shownOf(showState(state, how)).map(redacted).join();
        const has = shownOf(mine).join();
        if (has !== wanted) return `${name}/${key} of ${other} shows ${has}, not ${wanted}`;
      }
    }
    return undefined;
  }

  /** By each version how long a value lives. */
  private ttlsOf(name: string, incarnation?: number): number[] {
    return this.owner
      .versions(name)
      .filter((dataset) => incarnation === undefined || dataset.incarnation === incarnation)
      .map(({ spec }) => spec.ttlMs ?? Infinity);
  }
}

/** What a text holds of an area that a place is not in. */
function strangerIn(text: string, jurisdictions: readonly string[]): string | undefined {
  for (const [found, area = ''] of text.matchAll(MARK)) if (!jurisdictions.includes(area)) return found;
  return undefined;
}

function shownOf(shown: { value?: string; values?: string[] } | undefined): string[] {
  return shown?.values?.toSorted() ?? (shown?.value === undefined ? [] : [shown.value]);
}

/** What other areas may know of a value. */
export function redacted(value: string): string {
  const parsed: unknown = JSON.parse(value);
  const open: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, OPEN) : undefined;
  return JSON.stringify({ [OPEN]: open });
}
