import { matches } from '@skerry/bus';
import {
  deliverySchema,
  givenSchema,
  HUB,
  storedRecordSchema,
  STREAMS,
  type Dataset,
  type Delivery,
  type Given,
  type RecordState,
} from '@skerry/contracts';
import { mergeStates, showState, StateDigest } from '@skerry/domain';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { wrongWith, type Counted, type Entry, type Final } from './dataset-accounts.js';
import { DatasetBounds } from './dataset-bounds.js';
import { DatasetHomes } from './dataset-homes.js';
import { hasKind, KINDS, type KindName } from './dataset-kinds.js';
import { DatasetOwner } from './dataset-owner.js';
import { DatasetPeople } from './dataset-people.js';
import { DatasetSeals } from './dataset-seals.js';
import { DatasetWriters } from './dataset-writers.js';
import type { Broken } from './invariants.js';
import { PROJECT, type People } from './people.js';
import type { SimNode } from './sim-node.js';

/** Where homes move writers go on for so long when everything is mended. */
const MOVING_WRITES_ON_MS = 20_000;
const FEW_SITES = 8;
/** What was under way when a rule came to hold may still arrive: connections stall for up to 15 s before they break. */
const UNDER_WAY_MS = 20_000;
/** Until a site that may have a copy again has heard that it may. */
const HEARD_MS = 30_000;
/** What is said of a copy at most, of each dataset at each site, in one look at what has come to rest. */
const QUIET_MESSAGES = 6;

export interface DatasetOptions {
  random: Random;
  /** Servers may lose the last second that they had said was stored. */
  forgetful: boolean;
  kind: KindName;
  fail: (broken: Broken) => void;
}

/** Datasets of one seed: who wants them, who writes to them, and what has to hold of them. Undefined in most seeds. */
export class DatasetLife {
  private readonly owner: DatasetOwner;
  private readonly wishes: DatasetPeople;
  private readonly writers: DatasetWriters;
  private messages = 0;
  private messagesBefore = 0;
  private readonly homes: DatasetHomes | undefined;
  private readonly bounds: DatasetBounds | undefined;
  private readonly seals: DatasetSeals | undefined;

  private constructor(
    private readonly cloud: Cloud,
    people: People,
    private readonly options: DatasetOptions,
  ) {
    const { random, forgetful, kind, fail } = options;
    this.owner = new DatasetOwner(cloud, random.fork('owner'), { gentle: forgetful, name: kind });
    if (kind === 'sealed') this.seals = new DatasetSeals(cloud, fail);
    if (kind === 'bounded') this.bounds = new DatasetBounds(cloud, this.owner, fail);
    if (kind === 'moving')
      this.homes = new DatasetHomes(cloud, people, { owner: this.owner, random: random.fork('homes'), fail });
    const made = this.homes !== undefined;
    this.wishes = new DatasetPeople(cloud, people, { owner: this.owner, random, forgetful, made });
    this.writers = new DatasetWriters(cloud, this.owner, random.fork('writers'), {
      mark: KINDS[kind].mark,
      keyMs: KINDS[kind].keyMs,
      whereTaken: (name) => this.homes?.siteOf(name),
      bounds: this.bounds ?? this.seals,
    });
  }

  static drawn(cloud: Cloud, people: People, options: DatasetOptions): DatasetLife | undefined {
    if (!hasKind(options.random, KINDS[options.kind])) return undefined;
    const life = new DatasetLife(cloud, people, options);
    life.begin();
    return life;
  }

  /** So much longer than without them things break. */
  get longerMs(): number {
    const { kind } = this.options;
    // Many sites do much in little time.
    return kind === 'bounded' && this.cloud.sites.length > FEW_SITES ? 0 : KINDS[kind].longerMs;
  }

  /** People change nothing more, and nobody writes; where homes move, after a while. */
  end(): void {
    const { timeline } = this.cloud;
    this.wishes.end();
    this.homes?.end();
    if (this.homes === undefined) this.writers.end();
    else timeline.after(MOVING_WRITES_ON_MS, timeline.world, () => this.writers.end());
  }

  /** What is not as it is wanted. */
  unrest(): string[] {
    const { owner, writers, cloud } = this;
    if (!owner.rests || !writers.rests || !writers.ended)
      return ['people have begun something with datasets'];
    const problems = owner.names.flatMap((name) => this.unrestOf(name));
    const said = this.messages - this.messagesBefore;
    this.messagesBefore = this.messages;
    if (problems.length > 0 || said <= QUIET_MESSAGES * cloud.sites.length * owner.names.length)
      return problems;
    return [`${said} messages about copies for nothing, at ${cloud.sites.length} sites`];
  }

  /** Looks at what was stored in the end, once everything rests. */
  judge(): void {
    for (const name of this.owner.names) {
      const dataset = this.owner.current(name);
      if (dataset === undefined || dataset.removed) continue;
      const entries = (this.writers.entries.get(name) ?? []).filter((e) => e.refused === undefined);
      if (this.homes !== undefined) this.judgeHome(dataset, this.statesOf(dataset), entries);
      else if (this.seals !== undefined) this.judgeSealed(dataset, this.seals, entries);
      else for (const area of areasOf(dataset)) this.judgeArea(dataset, area, entries);
    }
  }

  /** What was written in an area counts there; without areas anywhere. */
  private judgeArea(dataset: Dataset, area: string | undefined, all: readonly Entry[]): void {
    const { spec } = dataset;
    const states = this.statesOf(dataset, area);
    const entries = all.filter(
      ({ site }) => area === undefined || this.bounds?.areaAt(dataset, site) === area,
    );
    const how = this.bounds === undefined ? { nowMs: 0 } : { ttlMs: spec.ttlMs, nowMs: Date.now() };
    const finals = [...states].map(([key, state]) => [key, showState(state, how) ?? {}] as const);
    this.judgeKeys(dataset, new Map(finals), entries);
  }

  private judgeSealed(dataset: Dataset, seals: DatasetSeals, entries: readonly Entry[]): void {
    const { has } = this.wishes.placesOf(dataset);
    const copy = seals.copyAt(
      has.flatMap(({ nodes }) => nodes),
      dataset,
    );
    if (copy !== undefined) this.judgeKeys(dataset, seals.shownBy(copy), entries);
  }

  private judgeKeys(dataset: Dataset, finals: ReadonlyMap<string, Final>, entries: readonly Entry[]): void {
    const { name, spec } = dataset;
    for (const key of new Set([...finals.keys(), ...entries.map((e) => e.key)])) {
      const counted = entries.flatMap((e) => (e.key === key ? this.counted(dataset, e) : []));
      const wrong = wrongWith(spec.conflicts, counted, finals.get(key) ?? {});
      if (wrong !== undefined) this.fail('stored', `${name}/${key} (${spec.conflicts}) ${wrong}`);
    }
  }

  private judgeHome(
    dataset: Dataset,
    states: ReadonlyMap<string, RecordState>,
    entries: readonly Entry[],
  ): void {
    const keys = new Set([...states.keys(), ...entries.map((e) => e.key)]);
    const all = [...keys].map((key) => {
      const state = states.get(key);
      const value = state === undefined ? undefined : showState(state, { nowMs: 0 })?.value;
      const counted = entries.flatMap((e) => (e.key === key ? this.counted(dataset, e) : []));
      return [key, { entries: counted, value }] as const;
    });
    const wrong = this.homes?.wrongWith(dataset, new Map(all));
    if (wrong !== undefined) this.fail('home', wrong);
  }

  private begin(): void {
    const { cloud, owner } = this;
    for (const site of cloud.sites) site.carryDatasets();
    this.watch();
    this.bounds?.watch();
    this.seals?.watch();
    this.homes?.begin(owner.names);
    this.wishes.begin();
    this.writers.begin();
    this.wishes.changeLater();
  }

  /** How much a write counts in the end; none of another incarnation does. */
  private counted(dataset: Dataset, entry: Entry): Counted[] {
    const { name, incarnation } = dataset;
    if (entry.incarnation !== undefined && entry.incarnation !== incarnation) return [];
    const stored = entry.ackMs !== undefined && entry.incarnation !== undefined;
    // What a site had not passed on when it had to forget its copy is gone.
    const fromMs = entry.startMs - HEARD_MS;
    const sure = stored && !this.owner.wasBarred(name, entry.site, { fromMs, incarnation });
    const counted = { ...entry, sure };
    return [this.bounds?.counted(dataset, counted) ?? counted];
  }

  private unrestOf(name: string): string[] {
    const dataset = this.owner.current(name);
    // It was made in the last second that a hub lost, and nobody has made it again.
    if (dataset === undefined) return [];
    const { has, hasNone } = this.wishes.placesOf(dataset);
    const holders = has.flatMap(({ nodes }) => nodes);
    const roots = new Map(areasOf(dataset).map((area) => [area, this.rootOf(dataset, area)]));
    // The hub cannot read them: the copies have to show the same.
    if (this.seals !== undefined) roots.set(undefined, this.seals.copyAt(holders, dataset)?.root ?? '');
    const copies = holders.flatMap((node) => this.unrestAt(node, dataset, roots));
    const left = hasNone.flatMap((site) => {
      const stays = !dataset.removed && !this.owner.bars(dataset, site.name);
      const empty = (node: SimNode) => !stays || this.homes?.keepsAside(node, name) !== true;
      return site.nodes.filter(empty).flatMap((node) => this.leftAt(node, name));
    });
    const problems = [...copies, ...left, ...this.wishes.unchosen(dataset)];
    return problems.length > 0 ? problems : (this.homes?.unrestOf(dataset, this.writers) ?? []);
  }

  private unrestAt(
    node: SimNode,
    dataset: Dataset,
    roots: ReadonlyMap<string | undefined, string>,
  ): string[] {
    const { name, incarnation, generation, spec } = dataset;
    const copy = node.agent?.copies.get(`${PROJECT}.${name}`)?.copy;
    if (copy === undefined) return [`${node.name} has no copy of ${name}`];
    if (copy.rule.incarnation !== incarnation || copy.rule.generation !== generation)
      return [`${node.name} has ${name} of generation ${copy.rule.generation}, not ${generation}`];
    if (copy.unsent > 0)
      return [`${node.name} has ${copy.unsent} writes to ${name} that the hub has not got`];
    const area = this.bounds?.areaAt(dataset, node.machine.site);
    const other = this.bounds?.differs(dataset, copy, (of) => this.statesOf(dataset, of));
    if (other !== undefined) return [`${node.name}: ${other}`];
    // What has run out a copy forgets when it comes to that.
    const same = spec.ttlMs !== undefined || copy.root === roots.get(area);
    return same ? [] : [`${node.name} shows another ${name} than the hub`];
  }

  /** Of a copy that may not be there, in memory or on the disk. */
  private leftAt(node: SimNode, name: string): string[] {
    const { disk } = node.machine;
    const folder = `/sites/${node.machine.site}/state/datasets`;
    const files = disk.isFolder(folder) ? disk.list(folder) : [];
    const left = files.filter((file) => file.startsWith(`${PROJECT}.${name}.`));
    const held = node.agent?.copies.kept(`${PROJECT}.${name}`) !== undefined;
    return left.length === 0 && !held ? [] : [`${node.name} still has a copy of ${name}: ${left.join()}`];
  }

  /** What the hub has of a dataset, or of one of its areas: all that stores have said, made one. */
  private statesOf(dataset: Dataset, area?: string): Map<string, RecordState> {
    const { name, incarnation } = dataset;
    const states = new Map<string, RecordState>();
    const stream = this.cloud.hub.memory.streams.get(STREAMS.REP.name);
    for (const m of stream?.newestOfEach((subject) => matches(`rep.${PROJECT}.${name}.>`, subject)) ?? []) {
      const record = storedRecordSchema.parse(jsonOf(m.bytes));
      if (record.incarnation !== incarnation) continue;
      const [site = ''] = record.origin.split('.');
      if (area !== undefined && this.bounds?.areaAt(dataset, site) !== area) continue;
      const before = states.get(record.key);
      states.set(record.key, before === undefined ? record.state : mergeStates(before, record.state));
    }
    return states;
  }

  private rootOf(dataset: Dataset, area: string | undefined): string {
    const digest = new StateDigest();
    for (const [key, state] of this.statesOf(dataset, area)) digest.change(key, undefined, state);
    return digest.root();
  }

  /** What may not happen at any moment. */
  private watch(): void {
    const { memory } = this.cloud.hub;
    const hears = (filter: string, act: (subject: string, data: Uint8Array) => void) =>
      memory.hear({ filter, queue: undefined, here: () => true, hear: (m) => act(m.subject, m.data) });
    const count = () => void (this.messages += 1);
    for (const filter of [HUB.copies, HUB.records, HUB.pull, HUB.copyNews('*')]) hears(filter, count);
    hears(HUB.recordDelivery('*'), (subject, data) => {
      count();
      this.given(subject, deliverySchema.parse(jsonOf(data)));
    });
    // By one site to another.
    hears(HUB.givenTo('*', '*'), (subject, data) => {
      count();
      const [, to = ''] = subject.split('.');
      this.given(HUB.recordDelivery(to), givenSchema.parse(jsonOf(data)));
    });
    let heard: object | undefined;
    const attach = () => {
      const stream = memory.streams.get(STREAMS.REP.name);
      if (stream === undefined || stream === heard) return;
      if (heard !== undefined) this.homes?.lost(stream.lastSequence);
      heard = stream;
      stream.onStored((m) => m.subject.startsWith('rep.') && this.taken(m.bytes, m.sequence));
    };
    memory.onStreams(attach);
    attach();
  }

  /** Nothing goes to a site that may have no copy. */
  private given(subject: string, { name, incarnation, records }: Delivery | Given): void {
    const site = this.cloud.sites.find(({ spec }) => subject === HUB.recordDelivery(spec.account));
    if (site === undefined || records.length === 0) return;
    const never = this.owner.isNeverAllowed(name, site.name, incarnation);
    if (!never && !this.isBarredForLong(name, site.name)) return;
    this.fail('copies', `records of ${name} are given to ${site.name}, which may have no copy`);
  }

  /** Nothing is taken from one. */
  private taken(bytes: Uint8Array, sequence: number): void {
    const record = storedRecordSchema.parse(jsonOf(bytes));
    const { name, origin, incarnation, key } = record;
    if (!this.owner.names.includes(name)) return;
    const [site = ''] = origin.split('.');
    this.cloud.say('REP', `${name}/${key} of ${incarnation} from ${origin}`);
    if (this.isBarredForLong(name, site))
      this.fail('copies', `a record of ${name} is taken from ${site}, which may have no copy`);
    const now = this.owner.current(name);
    const home = now?.incarnation === incarnation ? now.spec.home : undefined;
    this.homes?.took(record, sequence);
    if (typeof home === 'string' && home !== site)
      this.fail('copies', `a record of ${name} is taken from ${site}, and only ${home} writes it`);
  }

  private isBarredForLong(name: string, site: string): boolean {
    const { now } = this.cloud.timeline;
    return this.owner.wasBarredThroughout(name, site, { fromMs: now - UNDER_WAY_MS, toMs: now });
  }

  private fail(invariant: string, detail: string): void {
    this.options.fail({ invariant, detail });
  }
}

/** With areas each by itself. */
function areasOf({ spec }: Dataset): (string | undefined)[] {
  const origin = spec.residency?.origin;
  return typeof origin === 'object' ? origin.among : [undefined];
}

function jsonOf(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
