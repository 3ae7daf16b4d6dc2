import { matches } from '@skerry/bus';
import {
  entriesFilter,
  entryDeliverySchema,
  HUB,
  logItemSchema,
  storedEntriesSchema,
  STREAMS,
  type Dataset,
  type LogItem,
} from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import { z } from 'zod';
import type { Cloud } from './cloud.js';
import { DatasetBounds, redacted } from './dataset-bounds.js';
import { hasKind, KINDS } from './dataset-kinds.js';
import { DatasetOwner } from './dataset-owner.js';
import { DatasetPeople } from './dataset-people.js';
import { followStream, jsonOf } from './follow-stream.js';
import type { Broken } from './invariants.js';
import { wrongInLog, type CountedAppend, type Lying } from './log-accounts.js';
import { CENTRE, logAt, LogWriters } from './log-writers.js';
import { PROJECT, type People } from './people.js';
import type { SimNode } from './sim-node.js';

/** As of copies: what was under way when a rule came to hold, and until a site has heard that it may have one again. */
const UNDER_WAY_MS = 20_000;
const HEARD_MS = 30_000;
/** What is said of a log at most, at each site, in one look at what has come to rest. */
const QUIET_MESSAGES = 6;

interface LogOptions {
  random: Random;
  /** Servers may lose the last second that they had said was stored. */
  forgetful: boolean;
  fail: (broken: Broken) => void;
}

/** Logs of one seed: who wants them, who appends and reads, and what has to hold of them. Undefined in most seeds. */
export class LogLife {
  readonly longerMs: number = KINDS.logs.longerMs;
  private readonly owner: DatasetOwner;
  private readonly wishes: DatasetPeople;
  private readonly writers: LogWriters;
  private readonly bounds: DatasetBounds;
  private messages = 0;
  private messagesBefore = 0;

  private constructor(
    private readonly cloud: Cloud,
    people: People,
    private readonly options: LogOptions,
  ) {
    const { random, forgetful, fail } = options;
    const owner = new DatasetOwner(cloud, random.fork('owner'), { gentle: forgetful, name: 'logs' });
    this.owner = owner;
    this.bounds = new DatasetBounds(cloud, owner, fail);
    this.wishes = new DatasetPeople(cloud, people, { owner, random, forgetful, made: false });
    this.writers = new LogWriters(cloud, {
      owner,
      random: random.fork('writers'),
      mark: KINDS.logs.mark,
      areaAt: (dataset, site) => this.bounds.areaAt(dataset, site),
      wrong: (detail) => this.fail('log', detail),
    });
  }

  static drawn(cloud: Cloud, people: People, options: LogOptions): LogLife | undefined {
    if (!hasKind(options.random, KINDS.logs)) return undefined;
    const life = new LogLife(cloud, people, options);
    for (const site of cloud.sites) site.carryLogs();
    life.watch();
    life.bounds.watch();
    life.wishes.begin();
    life.writers.begin();
    life.wishes.changeLater();
    return life;
  }

  /** People change nothing more, and nobody writes. */
  end(): void {
    this.wishes.end();
    this.writers.end();
  }

  /** What is not as it is wanted. */
  unrest(): string[] {
    const { owner, writers, cloud } = this;
    if (!owner.rests || !writers.rests) return ['people have begun something with logs'];
    const problems = owner.names.flatMap((name) => this.unrestOf(name));
    const said = this.messages - this.messagesBefore;
    this.messagesBefore = this.messages;
    if (problems.length > 0 || said <= QUIET_MESSAGES * cloud.sites.length * owner.names.length)
      return problems;
    return [`${said} messages about logs for nothing, at ${cloud.sites.length} sites`];
  }

  /** Looks at what was stored in the end, once everything rests. */
  judge(): void {
    for (const name of this.owner.names) {
      const dataset = this.owner.current(name);
      if (dataset === undefined || dataset.removed) continue;
      const appended = (this.writers.appended.get(name) ?? []).flatMap((a) => this.counted(dataset, a));
      const lying = this.itemsAtHub(dataset).flatMap((item) => ('gap' in item ? [] : [item]));
      const wrong = wrongInLog(appended, lying satisfies Lying[]);
      if (wrong !== undefined) this.fail('log', `${name} ${wrong}`);
    }
  }

  /** How much an append counts in the end; none to another incarnation does. */
  private counted(dataset: Dataset, appended: Omit<CountedAppend, 'sure'>): CountedAppend[] {
    const { name, incarnation } = dataset;
    const { site, ackMs, startMs, refused } = appended;
    if (refused || (appended.incarnation !== undefined && appended.incarnation !== incarnation)) return [];
    const stored = ackMs !== undefined && appended.incarnation !== undefined;
    // What a site had not passed on when it had to forget its log is gone.
    const fromMs = startMs - HEARD_MS;
    const barred = this.cloud.sites.some((s) => s.name === site)
      ? this.owner.wasBarred(name, site, { fromMs, incarnation })
      : // What the centre has stored a hub that forgets may have lost.
        this.options.forgetful;
    return [{ ...appended, sure: stored && !barred }];
  }

  private unrestOf(name: string): string[] {
    const dataset = this.owner.current(name);
    // It was made in the last second that a hub lost, and nobody has made it again.
    if (dataset === undefined) return [];
    const items = this.itemsAtHub(dataset);
    const { has, hasNone } = this.wishes.placesOf(dataset);
    return [
      ...has.flatMap((site) => site.nodes.flatMap((node) => this.unrestAt(node, dataset, items))),
      ...hasNone.flatMap((site) => site.nodes.flatMap((node) => this.leftAt(node, name))),
      ...this.wishes.unchosen(dataset),
    ];
  }

  private unrestAt(node: SimNode, dataset: Dataset, hubs: readonly LogItem[]): string[] {
    const { name, incarnation, generation } = dataset;
    const log = logAt(node, dataset);
    if (log === undefined) return [`${node.name} has no log ${name}`];
    if (log.rule.incarnation !== incarnation || log.rule.generation !== generation)
      return [`${node.name} has ${name} of generation ${log.rule.generation}, not ${generation}`];
    if (log.unsent > 0) return [`${node.name} has ${log.unsent} entries of ${name} that the hub has not got`];
    const items = this.itemsAt(node, name, log.origin);
    const odd = oddIn(items);
    if (odd !== undefined) this.fail('log', `${node.name} has of ${name} ${odd}`);
    const [has, wanted] = [byOrigin(items), byOrigin(this.wantedAt(node, dataset, hubs))];
    for (const origin of new Set([...has.keys(), ...wanted.keys()])) {
      const [mine, there] = [has.get(origin) ?? '', wanted.get(origin) ?? ''];
      // What people wrote at a hub that has lost it since may have been read.
      const isLost = this.options.forgetful && origin.startsWith(`${CENTRE}.`) && mine.startsWith(there);
      if (mine !== there && !isLost)
        return [`${node.name} has of ${name}, written by ${origin}: ${mine}and the hub ${there}`];
    }
    return [];
  }

  /** What of a log has to be at a node, of all that the hub has. */
  private wantedAt(node: SimNode, dataset: Dataset, items: readonly LogItem[]): LogItem[] {
    const { site } = node.machine;
    const { spec } = dataset;
    const mine = logAt(node, dataset)?.origin;
    if (spec.log?.flow === 'collect') return items.filter((item) => originOf(item) === mine);
    const { origin } = spec.residency ?? {};
    if (typeof origin !== 'object') return [...items];
    const area = this.bounds.areaAt(dataset, site);
    return items.flatMap((item): LogItem[] => {
      const other = this.bounds.areaAt(dataset, originOf(item).split('.')[0] ?? '');
      if (other === area) return [item];
      if ('gap' in item || origin.elsewhere === 'nothing' || other === undefined) return [];
      return [{ ...item, value: redacted(item.value), area: other }];
    });
  }

  /** What a node has on its disk, whatever it says of it. */
  private itemsAt(node: SimNode, name: string, origin: string): LogItem[] {
    const { disk, site } = node.machine;
    const folder = `/sites/${site}/state/entry-logs/${PROJECT}.${name}.log`;
    const texts = disk.list(folder).map((file) => disk.read(`${folder}/${file}`));
    // What follows the last end of a line is being written.
    const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
    return lines.flatMap((line) => itemsIn(line, origin));
  }

  /** Of a log that may not be there, in memory or on the disk. */
  private leftAt(node: SimNode, name: string): string[] {
    const { disk, site } = node.machine;
    const folder = `/sites/${site}/state/entry-logs`;
    const left = (disk.isFolder(folder) ? disk.list(folder) : []).filter((f) =>
      f.startsWith(`${PROJECT}.${name}.`),
    );
    return left.length === 0 && logAt(node, { name }) === undefined
      ? []
      : [`${node.name} still has log ${name}: ${left.join()}`];
  }

  /** All that the hub has of it. */
  private itemsAtHub({ name, incarnation }: Dataset): LogItem[] {
    const filter = entriesFilter({ project: PROJECT, name });
    const stream = this.cloud.hub.memory.streams.get(STREAMS.LOGS.name);
    return [...(stream?.from(1) ?? [])]
      .filter((m) => matches(filter, m.subject))
      .flatMap((m) => {
        const { origin, entries, from, upTo, ...batch } = storedEntriesSchema.parse(jsonOf(m));
        if (batch.incarnation !== incarnation) return [];
        const items = entries.map((entry): LogItem => ({ origin, ...entry }));
        return items.length === upTo - from + 1 ? items : [{ gap: { origin, from, to: upTo } }, ...items];
      });
  }

  private watch(): void {
    const { memory } = this.cloud.hub;
    const hears = (filter: string, act: (subject: string, data: Uint8Array) => void) =>
      memory.hear({ filter, queue: undefined, here: () => true, hear: (m) => act(m.subject, m.data) });
    const count = () => void (this.messages += 1);
    for (const filter of [HUB.logs, HUB.entries, HUB.entryPull, HUB.logNews('*')]) hears(filter, count);
    hears(HUB.entryDelivery('*'), (subject, data) => {
      count();
      const { name, incarnation, items } = entryDeliverySchema.parse(
        JSON.parse(Buffer.from(data).toString()),
      );
      const site = this.cloud.sites.find(({ spec }) => subject === HUB.entryDelivery(spec.account));
      if (site === undefined || items.length === 0) return;
      if (this.owner.isNeverAllowed(name, site.name, incarnation) || this.isBarredForLong(name, site.name))
        this.fail('copies', `entries of ${name} are given to ${site.name}, which may have no log`);
    });
    followStream(memory, STREAMS.LOGS.name, (m) => this.taken(m.subject, jsonOf(m)));
  }

  /** Nothing is taken from a site that may have no log. */
  private taken(subject: string, body: unknown): void {
    if (!matches(`log.${PROJECT}.>`, subject)) return;
    const { name, origin, from, upTo, incarnation, entries } = storedEntriesSchema.parse(body);
    const [site = ''] = origin.split('.');
    this.cloud.say('LOGS', `${name} of ${incarnation} from ${origin}: ${from} to ${upTo}`);
    if (upTo - from + 1 !== entries.length)
      this.fail('log', `${name} has a gap: of ${origin} ${from} to ${upTo} there are ${entries.length}`);
    const isSite = this.cloud.sites.some((s) => s.name === site);
    if (isSite && this.isBarredForLong(name, site))
      this.fail('copies', `entries of ${name} are taken from ${site}, which may have no log`);
  }

  private isBarredForLong(name: string, site: string): boolean {
    const { now } = this.cloud.timeline;
    return this.owner.wasBarredThroughout(name, site, { fromMs: now - UNDER_WAY_MS, toMs: now });
  }

  private fail(invariant: string, detail: string): void {
    this.options.fail({ invariant, detail });
  }
}

/** An entry that is there twice, or behind one that its writer wrote later. */
function oddIn(items: readonly LogItem[]): string | undefined {
  const reached = new Map<string, number>();
  for (const item of items) {
    if ('gap' in item) continue;
    const { origin, number } = item;
    const last = reached.get(origin) ?? 0;
    if (number <= last) return `entry ${number} of ${origin} behind entry ${last}`;
    reached.set(origin, number);
  }
  return undefined;
}

/** Of each writer what there is, in its order, as text. */
function byOrigin(items: readonly LogItem[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const item of items) {
    const origin = originOf(item);
    const { gap, number, value } =
      'gap' in item ? { ...item, number: 0, value: '' } : { ...item, gap: undefined };
    const text = gap === undefined ? `${number} ${value}` : `gap ${gap.from}-${gap.to}`;
    texts.set(origin, `${texts.get(origin) ?? ''}${text}, `);
  }
  return texts;
}

function originOf(item: LogItem): string {
  return 'gap' in item ? item.gap.origin : item.origin;
}

/** The items of a line of a log's file. */
function itemsIn(line: string, origin: string): LogItem[] {
  const text = line.slice(line.indexOf(' ') + 1);
  if (text === '') return [];
  const parsed: unknown = JSON.parse(Buffer.from(text, 'latin1').toString());
  if (!Array.isArray(parsed)) return [];
  const [kind, , first, entries]: unknown[] = parsed;
  if (kind === 'h') return itemsSchema.parse(entries);
  if (kind !== 'o') return [];
  const pairs = pairsSchema.parse(entries);
  return pairs.map(([at, value], i) => ({ origin, number: Number(first) + i, at, value }));
}

const itemsSchema = logItemSchema.array();
const pairsSchema = z.array(z.tuple([z.number(), z.string()]));
