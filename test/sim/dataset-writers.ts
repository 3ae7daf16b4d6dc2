import type { DatasetEntry } from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import type { Entry } from './dataset-accounts.js';
import type { DatasetBounds } from './dataset-bounds.js';
import { askAgent, askSite, type Asked, type Told } from './dataset-entrance.js';
import type { DatasetOwner } from './dataset-owner.js';
import { PROJECT } from './people.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

/** Keys that are written to at a time. */
const KEYS = 2;
/** Share of the acknowledgements after which the power fails before anybody else can have heard of the write. */
const DARK_SHARE = 0.02;
const DARK_MS = [200, 8_000] as const;
/** Between two writes anywhere. */
const PAUSE_MS = [20, 500] as const;
/** Share of the writes that are made by a workload, where one runs. */
const BY_WORKLOAD = 0.7;
const READS_FIRST = 0.6;
/** Share of the writes that are made where they are most likely taken. */
const WHERE_TAKEN = 0.6;

/** Where a writer writes. `node` is known of a workload alone. */
export interface Place {
  site: SimSite;
  node: SimNode | undefined;
  ask: (asked: Asked) => Promise<Told | undefined>;
}

export interface WritersAt {
  /** Of what these ask for people: a digit that no others have. */
  mark: string;
  /** How long a key is written to: what became of it is looked at in the end. */
  keyMs: number;
  /** Where writes to a dataset are taken now, where that is not everywhere. */
  whereTaken: (name: string) => SimSite | undefined;
  /** Where values and what is read are looked at. */
  bounds?: Pick<DatasetBounds, 'valueAt' | 'read'> | undefined;
}

/** Writers at all sites, workloads and people, who remember what they were told. */
export class DatasetWriters {
  /** By dataset, all that was written, whatever became of it. */
  readonly entries = new Map<string, Entry[]>();
  private count = 0;
  private stopped = false;
  private busy = 0;

  constructor(
    private readonly cloud: Cloud,
    private readonly owner: DatasetOwner,
    private readonly random: Random,
    private readonly at: WritersAt,
  ) {}

  /** Writes that were begun, and of which nothing is known yet, are none. */
  get rests(): boolean {
    return this.busy === 0;
  }

  /** Nothing more is begun. */
  get ended(): boolean {
    return this.stopped;
  }

  begin(): void {
    if (this.stopped) return;
    const { timeline } = this.cloud;
    timeline.after(this.random.between(...PAUSE_MS), timeline.world, () => {
      void this.write();
      this.begin();
    });
  }

  /** Nothing more is written. */
  end(): void {
    this.stopped = true;
  }

  private async write(): Promise<void> {
    const { random, owner } = this;
    const name = random.pick(owner.names);
    const { keyMs } = this.at;
    const key = `k${Math.floor(this.cloud.timeline.now / keyMs)}-${random.whole(1, KEYS)}`;
    const taken = this.at.whereTaken(name);
    const site = taken !== undefined && random.chance(WHERE_TAKEN) ? taken : random.pick(this.cloud.sites);
    const place = this.placeAt(site);
    const dataset = owner.current(name);
    if (dataset === undefined) return;
    if (this.at.bounds !== undefined) void this.readBefore(place, name);
    await this.writeAt(place, { name, key, rule: dataset.spec.conflicts });
  }

  /** Reads what was written earlier, to see that it has run out by its time. */
  private async readBefore({ site, ask }: Place, name: string): Promise<void> {
    const entries = this.entries.get(name) ?? [];
    if (entries.length === 0) return;
    const { key } = this.random.pick(entries);
    const askedMs = this.cloud.timeline.now;
    const told = await ask({ verb: 'get', project: PROJECT, name, key });
    const seen = told?.ok === true && 'entry' in told.answer ? told.answer.entry : undefined;
    this.at.bounds?.read(name, seen, { site: site.name, askedMs, entries });
  }

  /** Whether a write by a workload that runs on a node is taken. */
  async canWrite(
    site: SimSite,
    node: SimNode,
    { name, token }: { name: string; token: string },
  ): Promise<boolean> {
    const place = this.byWorkload(site, node, token);
    const entry = await this.writeAt(place, { name, key: 'last', rule: 'single-writer' });
    return entry?.ackMs !== undefined;
  }

  private async writeAt(
    place: Place,
    of: { name: string; key: string; rule: string },
  ): Promise<Entry | undefined> {
    this.busy += 1;
    const copies = this.copiesAt(place, of.name);
    const begun = await this.begun(place, of);
    if (begun !== undefined) this.note(of.name, begun.entry, { told: begun.told, place, copies });
    this.busy -= 1;
    return begun?.entry;
  }

  /** Sends a write off, and remembers it before anything is known of it. */
  private async begun(
    place: Place,
    { name, key, rule }: { name: string; key: string; rule: string },
  ): Promise<{ entry: Entry; told: Told | undefined } | undefined> {
    const { random } = this;
    const { site, ask } = place;
    const at = { project: PROJECT, name, key };
    const reads =
      rule === 'keep-both' ? random.chance(0.8) : rule !== 'counter' && random.chance(READS_FIRST);
    const [copy, ...others] = this.copiesAt(place, name);
    const holder = others.length === 0 ? copy?.rule.holder : undefined;
    const askedMs = this.cloud.timeline.now;
    const before = reads ? await ask({ verb: 'get', ...at }) : undefined;
    if (reads && (before === undefined || isNoCopy(before))) return undefined;
    const seen = before?.ok === true && 'entry' in before.answer ? before.answer.entry : undefined;
    const mine = this.entries.get(name) ?? [];
    this.at.bounds?.read(name, seen, { site: site.name, askedMs, entries: mine });
    const asked = this.draw(rule, { ...at, site: site.name }, seen);
    const entry: Entry = {
      key,
      site: site.name,
      verb: asked.verb,
      value: asked.verb === 'put' ? asked.value : asked.verb === 'change' ? elementIn(asked) : '',
      by: asked.verb === 'count' ? asked.by : 0,
      removes: asked.verb === 'change' && asked.remove !== undefined,
      startMs: this.cloud.timeline.now,
      ...(reads ? { read: readIn(seen) } : {}),
      ...(holder?.pen === true ? { readAsHome: holder.epoch } : {}),
    };
    this.entries.set(name, mine);
    mine.push(entry);
    return { entry, told: await ask(asked) };
  }

  private draw(
    rule: string,
    { site, ...at }: { project: string; name: string; key: string; site: string },
    seen: DatasetEntry | undefined,
  ): Exclude<Asked, { verb: 'get' }> {
    const { random } = this;
    this.count += 1;
    const [plain, { bounds }] = [`v${this.count}`, this.at];
    const value = bounds === undefined ? plain : bounds.valueAt(at.name, site, plain);
    const context = seen?.context === undefined ? {} : { context: seen.context };
    switch (rule) {
      case 'counter':
        return { verb: 'count', ...at, by: random.whole(-40, 60) || 1 };
      case 'set': {
        const [element] = seen?.elements ?? [];
        if (element !== undefined && random.chance(0.5)) return { verb: 'change', ...at, remove: [element] };
        return { verb: 'change', ...at, add: [value] };
      }
      default:
        // A deletion without a context is of all that is there, which a reader cannot know.
        if (random.chance(0.15) && (rule !== 'keep-both' || seen !== undefined))
          return { verb: 'delete', ...at, ...context };
        return { verb: 'put', ...at, value, ...context };
    }
  }

  private note(
    name: string,
    entry: Entry,
    {
      told,
      place,
      copies,
    }: { told: Told | undefined; place: Place; copies: readonly (object | undefined)[] },
  ): void {
    const what = `${entry.verb} ${name}/${entry.key} ${entry.value || entry.by}`;
    if (told === undefined) return this.cloud.say(`writer at ${entry.site}`, `${what}: no answer`);
    if (!told.ok) {
      entry.refused = told.why;
      return this.cloud.say(`writer at ${entry.site}`, `${what}: ${told.why.slice(0, 120)}`);
    }
    entry.ackMs = this.cloud.timeline.now;
    const after = this.copiesAt(place, name);
    const kept = after.length === copies.length && after.every((copy, i) => copy === copies[i]);
    const [incarnation, ...others] = new Set(after.map((copy) => copy?.rule.incarnation));
    if (kept && incarnation !== undefined && others.length === 0) entry.incarnation = incarnation;
    entry.same = kept && after.length === 1;
    const read = entry.read === undefined ? '' : `, having read ${entry.read.join() || 'nothing'}`;
    const where = place.node === undefined ? 'through the hub' : `by a workload on ${place.node.name}`;
    this.cloud.say(`writer at ${entry.site}`, `${what}: stored, ${where}${read}`);
    const { random } = this;
    if (!this.stopped && random.chance(DARK_SHARE)) place.site.losePower(random.between(...DARK_MS), 0);
  }

  /** The copies that a write there may go to. */
  private copiesAt({ site, node }: Place, name: string) {
    const nodes = node === undefined ? site.nodes : [node];
    return nodes.map(({ agent }) => agent?.copies.get(`${PROJECT}.${name}`)?.copy);
  }

  private placeAt(site: SimSite): Place {
    const { cloud, random } = this;
    const replicas = site.nodes.flatMap((node) =>
      [...node.machine.replicas.values()].flatMap(({ key, token }) =>
        token === undefined || !key.startsWith(`${PROJECT}.`) ? [] : [{ node, token }],
      ),
    );
    if (replicas.length > 0 && random.chance(BY_WORKLOAD)) {
      const { node, token } = random.pick(replicas);
      return this.byWorkload(site, node, token);
    }
    const ask = async (asked: Asked) => {
      this.count += 1;
      return await askSite(cloud, site, `${this.at.mark}${this.count.toString(16).padStart(15, '0')}`, asked);
    };
    return { site, node: undefined, ask };
  }

  private byWorkload(site: SimSite, node: SimNode, token: string): Place {
    const { timeline } = this.cloud;
    return { site, node, ask: async (asked) => await askAgent(timeline, node, { token, asked }) };
  }
}

function elementIn({ add, remove }: Extract<Asked, { verb: 'change' }>): string {
  return add?.[0] ?? remove?.[0] ?? '';
}

function readIn(seen: DatasetEntry | undefined): string[] {
  return seen?.values ?? seen?.elements ?? (seen?.value === undefined ? [] : [seen.value]);
}

/** As against a key that shows nothing. */
function isNoCopy(told: Told): boolean {
  return !told.ok && !told.why.includes('has no key');
}
