import type { Bucket } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  bucketSubject,
  datasetSchema,
  datasetSpecSchema,
  type Dataset,
  type DatasetSpec,
} from '@skerry/contracts';
import { isChosen } from '@skerry/domain';
import { EPOCH_MS, type Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { areaOf, drawBounds, drawLog, drawTtl } from './dataset-bounds.js';
import { KINDS, type KindName } from './dataset-kinds.js';
import { PROJECT } from './people.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const AT = new Date(EPOCH_MS).toISOString();
const AGAIN_MS = 500;
const JURISDICTIONS = ['eu', 'us', 'ch'];
const RULES = ['newest', 'counter', 'set', 'keep-both', 'single-writer'] as const;
/** A chosen copy that nothing uses stays so long. */
const KEEP_MS = 3_000;

/** Which datasets somebody wants. */
export interface DatasetKind {
  /** None is ever removed, and every site may have a copy of all, since the hub may forget what it was told last. */
  gentle: boolean;
  name: KindName;
}

/** The workload that the home of a dataset goes with. */
export function keeperOf(dataset: string): string {
  return `keeps-${dataset}`;
}

/** A dataset as it lay at the hub, and from when on. */
interface Version {
  dataset: Dataset;
  sinceMs: number;
}

/** What people want of datasets, committed as policy does: by compare-and-set, and with its incarnations. */
export class DatasetOwner {
  readonly names: readonly string[];
  /** By name, every version that ever lay at the hub, the newest last. */
  private readonly history = new Map<string, Version[]>();
  private readonly ever = new Map<string, Dataset[]>();
  /** Changes that were begun and are not acknowledged. */
  private open = 0;
  private readonly bucket: Bucket<Dataset>;

  constructor(
    private readonly cloud: Cloud,
    private readonly random: Random,
    private readonly kind: DatasetKind,
  ) {
    this.bucket = cloud.people.bucket(BUCKETS.datasets, (v) => datasetSchema.parse(v));
    const { most, letter } = KINDS[kind.name];
    this.names = Array.from({ length: random.whole(1, most) }, (_, i) => `${letter}${i}`);
    this.follow();
  }

  /** Nothing that was begun is open. */
  get rests(): boolean {
    return this.open === 0;
  }

  /** What lies at the hub. */
  current(name: string): Dataset | undefined {
    return this.history.get(name)?.at(-1)?.dataset;
  }

  /** All that ever lay there, also what the hub has lost since. */
  versions(name: string): readonly Dataset[] {
    return this.ever.get(name) ?? [];
  }

  /** Whether a rule kept a site from a copy at some moment of these, of this incarnation or any. */
  wasBarred(
    name: string,
    site: string,
    { fromMs, toMs = Infinity, incarnation }: { fromMs: number; toMs?: number; incarnation?: number },
  ): boolean {
    return this.versionsWithin(name, fromMs, toMs).some(
      ({ dataset }) =>
        (incarnation === undefined || dataset.incarnation === incarnation) && this.bars(dataset, site),
    );
  }

  /** Whether a rule kept a site from it at every moment of these. */
  wasBarredThroughout(
    name: string,
    site: string,
    { fromMs, toMs }: { fromMs: number; toMs: number },
  ): boolean {
    const versions = this.versionsWithin(name, fromMs, toMs);
    return (
      (versions[0]?.sinceMs ?? Infinity) <= fromMs &&
      versions.every(({ dataset }) => dataset.removed || this.bars(dataset, site))
    );
  }

  /** Whether a site may have one by no version of this incarnation. */
  isNeverAllowed(name: string, site: string, incarnation: number): boolean {
    const versions = this.history.get(name)?.filter(({ dataset }) => dataset.incarnation === incarnation);
    if (versions === undefined || versions.length === 0) return false;
    return versions.every(({ dataset }) => dataset.removed || this.bars(dataset, site));
  }

  /** Whether a rule keeps a site from a copy: said here once more, since the product's own word is what is looked at. */
  bars({ spec: { residency, copies } }: Pick<Dataset, 'spec'>, site: string): boolean {
    const { jurisdictions } = this.cloud.site(site).spec;
    const stays = residency?.stay === undefined || jurisdictions.some((j) => residency.stay?.includes(j));
    const denied = jurisdictions.some((j) => residency?.deny?.includes(j) === true);
    if (residency?.origin !== undefined && areaOf(residency, jurisdictions) === undefined) return true;
    return !stays || denied || copies.sites?.includes(site) === false;
  }

  /** Makes it, for the first time or once more. */
  async make(name: string): Promise<void> {
    const spec = this.invent(name);
    await this.commit(name, (known) => {
      if (known !== undefined && !known.removed) return undefined;
      const generation = (known?.generation ?? 0) + 1;
      return { generation, incarnation: generation, spec, removed: false };
    });
  }

  /** Something else is wanted of it: where copies may be, or are. */
  async alter(name: string): Promise<void> {
    const { random } = this;
    const what = random.weighted({ residency: 3, copies: 1 });
    const residency = this.residency();
    const copies = this.copies();
    const ttlMs = this.kind.name === 'bounded' && random.chance(0.5) ? drawTtl(random) : undefined;
    await this.commit(name, (known) => {
      if (known === undefined || known.removed) return undefined;
      const { residency: _before, ...rest } = known.spec;
      // What stays where it was written does so for good; and nobody reads what only sites could that may not any more.
      const { encryption } = known.spec;
      const byCopies =
        what === 'copies' || known.spec.residency?.origin !== undefined || encryption !== undefined;
      const there = encryption !== undefined && copies.sites !== undefined ? known.spec.copies : copies;
      const spec = this.possible({
        ...(byCopies ? { ...known.spec, copies: there } : { ...rest, ...(residency && { residency }) }),
        ...(known.spec.ttlMs !== undefined && ttlMs !== undefined ? { ttlMs } : {}),
      });
      return { generation: known.generation + 1, incarnation: known.incarnation, spec, removed: false };
    });
  }

  async remove(name: string): Promise<void> {
    await this.commit(name, (known) => {
      if (known === undefined || known.removed) return undefined;
      const { incarnation, spec } = known;
      return { generation: known.generation + 1, incarnation, spec, removed: true };
    });
  }

  /** Commits until it is acknowledged. */
  private async commit(
    name: string,
    change: (
      known: Dataset | undefined,
    ) => Pick<Dataset, 'generation' | 'incarnation' | 'spec' | 'removed'> | undefined,
  ): Promise<void> {
    this.open += 1;
    const requestId = `request-${this.random.whole(1, 1_000_000_000)}`;
    for (;;) {
      try {
        const there = await this.bucket.get(`${PROJECT}.${name}`);
        const next = there?.value.requestId === requestId ? undefined : change(there?.value);
        if (next === undefined) break;
        await this.bucket.put(`${PROJECT}.${name}`, datasetOf(name, requestId, next), there?.revision ?? 0);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.open -= 1;
  }

  private invent(name: string): DatasetSpec {
    const { random, kind } = this;
    if (kind.name === 'logs') return this.inventLog();
    const moving = kind.name === 'moving';
    const bounds = kind.name === 'bounded' ? drawBounds(random, kind.gentle) : undefined;
    const { ttlMs, origin } = bounds ?? {};
    const conflicts = bounds?.conflicts ?? (moving ? 'single-writer' : random.pick(RULES));
    const residency = origin === undefined ? this.residency() : { origin };
    const home = moving ? { with: keeperOf(name) } : undefined;
    return this.possible(
      datasetSpecSchema.parse({
        type: 'keyvalue',
        conflicts,
        ...(conflicts === 'single-writer' ? { home: home ?? random.pick(this.cloud.sites).name } : {}),
        copies: this.copies(),
        ...(residency && { residency }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
        ...(kind.name === 'sealed' ? { encryption: { at: 'site' } } : {}),
      }),
    );
  }

  private inventLog(): DatasetSpec {
    const { flow, origin } = drawLog(this.random, this.kind.gentle);
    const residency = origin === undefined ? this.residency() : { origin };
    const rest = { copies: this.copies(), ...(residency && { residency }) };
    return this.possible(datasetSpecSchema.parse({ type: 'log', log: { flow }, ...rest }));
  }

  /** Policy refuses a home that may have no copy, and sites that are chosen where each area is for itself. */
  private possible(spec: DatasetSpec): DatasetSpec {
    const { home } = spec;
    if (spec.residency?.origin !== undefined && isChosen(spec.copies))
      return { ...spec, copies: datasetSpecSchema.shape.copies.parse({}) };
    if (typeof home !== 'string' || !this.bars({ spec }, home)) return spec;
    const { residency: _residency, ...rest } = spec;
    return { ...rest, copies: datasetSpecSchema.shape.copies.parse({}) };
  }

  private residency(): DatasetSpec['residency'] {
    const { random } = this;
    const [stay, deny] = [random.pick([['eu', 'ch'], ['us', 'eu'], ['eu']]), [random.pick(JURISDICTIONS)]];
    const kind = random.weighted({ none: 3, stay: 1, deny: 2 });
    if (this.kind.gentle || kind === 'none') return undefined;
    return kind === 'stay' ? { stay } : { deny };
  }

  private copies(): DatasetSpec['copies'] {
    const { random } = this;
    const sites = this.cloud.sites.map(({ name }) => name).filter(() => random.chance(0.7));
    const most = random.whole(1, 3);
    const kind = random.weighted({ everywhere: 6, sites: 1, used: 2, counted: 2 });
    const { copies } = datasetSpecSchema.shape;
    if (this.kind.gentle || kind === 'everywhere') return copies.parse({});
    switch (kind) {
      case 'sites':
        return copies.parse(sites.length === 0 ? {} : { at: 'matching', sites });
      case 'used':
        return copies.parse({ at: 'with-workloads', min: 1, keepMs: KEEP_MS });
      case 'counted':
        return copies.parse({ min: 1, max: most, keepMs: KEEP_MS });
    }
  }

  private versionsWithin(name: string, fromMs: number, toMs: number): Version[] {
    const versions = this.history.get(name) ?? [];
    return versions.filter(
      ({ sinceMs }, i) => sinceMs <= toMs && (versions[i + 1]?.sinceMs ?? Infinity) > fromMs,
    );
  }

  private follow(): void {
    const { memory } = this.cloud.hub;
    const name = bucketStream(BUCKETS.datasets.name);
    let heard: ReturnType<typeof memory.streams.get>;
    const attach = () => {
      const stream = memory.streams.get(name);
      if (stream === undefined || stream === heard) return;
      // It has lost what it stored last, or it is the first.
      const all = this.names.flatMap((dataset) => {
        const m = stream.newest(bucketSubject(BUCKETS.datasets.name, `${PROJECT}.${dataset}`));
        return m === undefined ? [] : [m.bytes];
      });
      if (heard !== undefined) this.history.clear();
      heard = stream;
      all.forEach((bytes) => this.stored(bytes));
      stream.onStored(({ bytes }) => stream === memory.streams.get(name) && this.stored(bytes));
    };
    memory.onStreams(attach);
    attach();
  }

  private stored(bytes: Uint8Array): void {
    const dataset = datasetSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    const { name, generation, incarnation, spec, removed } = dataset;
    if (!this.names.includes(name)) return;
    const versions = this.history.get(name) ?? [];
    this.ever.set(name, [...this.versions(name), dataset]);
    this.history.set(name, [...versions, { dataset, sinceMs: this.cloud.timeline.now }]);
    const what = removed
      ? 'is removed'
      : JSON.stringify({
          ...(spec.log === undefined ? { conflicts: spec.conflicts } : { log: spec.log }),
          home: spec.home,
          copies: spec.copies,
          residency: spec.residency,
          ttlMs: spec.ttlMs,
        });
    this.cloud.say('datasets', `${name} generation ${generation} of ${incarnation}: ${what}`);
  }
}

function datasetOf(
  name: string,
  requestId: string,
  change: Pick<Dataset, 'generation' | 'incarnation' | 'spec' | 'removed'>,
): Dataset {
  return datasetSchema.parse({
    kind: 'Dataset',
    project: PROJECT,
    name,
    labels: {},
    specDigest: DIGEST,
    createdAt: AT,
    updatedAt: AT,
    requestId,
    commandSequence: 1,
    ...change,
  });
}
