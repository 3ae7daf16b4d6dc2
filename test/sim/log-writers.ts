import type { NodeAgent } from '@skerry/agent';
import {
  logAnswerSchema,
  RPC,
  siteLogAnswerSchema,
  type Dataset,
  type LogAnswer,
  type LogItem,
} from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import { valueIn } from './dataset-bounds.js';
import { askEndpoint, askThroughHub, requestTo, type Told } from './dataset-entrance.js';
import type { DatasetOwner } from './dataset-owner.js';
import type { Appended } from './log-accounts.js';
import { PROJECT } from './people.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

/** Between two appends anywhere. */
const PAUSE_MS = [20, 500] as const;
/** Share of the acknowledgements after which the power fails before anybody else can have heard of it. */
const DARK_SHARE = 0.02;
const DARK_MS = [200, 8_000] as const;
/** Share of the appends that are made by a workload, where one runs. */
const BY_WORKLOAD = 0.7;
/** Most entries of one append. */
const MOST_AT_ONCE = 3;
/** As a site is called in what it writes. */
export const CENTRE = 'centre';
const AGAIN_MS = 1_000;

/** What can be asked of a log: the path and body at an agent's endpoint, or the operation of people. */
type Asked =
  { verb: 'append'; values: string[] } | { verb: 'tail'; since?: string | undefined; limit: number };

type Log = NonNullable<ReturnType<NodeAgent['entryLogs']['get']>>['log'];

/** How far a reader has come at one node. */
interface Reader {
  log: object;
  boots: number;
  since: string | undefined;
  reached: Map<string, number>;
}

/** Who appends to logs at all sites and at the centre, who reads there, and what they were told. */
export class LogWriters {
  /** By log, all that was appended, whatever became of it. */
  readonly appended = new Map<string, Appended[]>();
  private readonly readers = new Map<string, Reader>();
  private count = 0;
  private stopped = false;
  private busy = 0;

  constructor(
    private readonly cloud: Cloud,
    private readonly at: {
      owner: DatasetOwner;
      random: Random;
      mark: string;
      areaAt: (dataset: Dataset, site: string) => string | undefined;
      /** What is wrong with what was read. */
      wrong: (detail: string) => void;
    },
  ) {}

  /** Nothing was begun of which nothing is known yet. */
  get rests(): boolean {
    return this.busy === 0 && this.stopped;
  }

  begin(): void {
    if (this.stopped) return;
    const { cloud, at } = this;
    const { timeline } = cloud;
    timeline.after(at.random.between(...PAUSE_MS), timeline.world, () => {
      void this.act();
      this.begin();
    });
  }

  end(): void {
    this.stopped = true;
  }

  private async act(): Promise<void> {
    const { random, owner } = this.at;
    const dataset = owner.current(random.pick(owner.names));
    const site = random.pick(this.cloud.sites);
    const node = random.pick(site.nodes);
    const [reads, atCentre] = [random.chance(0.4), random.chance(0.8)];
    if (dataset === undefined) return;
    this.busy += 1;
    if (reads) await this.read(dataset, site, node);
    else if (dataset.spec.log?.flow === 'broadcast' && atCentre) await this.appendAtCentre(dataset);
    else await this.append(dataset, site, node);
    this.busy -= 1;
  }

  private async append(dataset: Dataset, site: SimSite, drawn: SimNode): Promise<void> {
    const { random } = this.at;
    const token = random.chance(BY_WORKLOAD) ? this.tokenAt(drawn) : undefined;
    const nodes = token === undefined ? site.nodes : [drawn];
    const entry = this.note(dataset, { site: site.name, node: nodes.length === 1 ? drawn.name : undefined });
    const before = nodes.map((node) => logAt(node, dataset));
    const asked: Asked = { verb: 'append', values: [...entry.values] };
    const told = await this.ask(dataset, asked, { site, node: drawn, token });
    const after = nodes.map((node) => logAt(node, dataset));
    const [incarnation, ...others] = new Set(after.map((log) => log?.rule.incarnation));
    const kept = after.every((log, i) => log === before[i]) && others.length === 0;
    this.heard(dataset, entry, { told, incarnation: kept ? incarnation : undefined });
    const dark = !this.stopped && told?.ok === true && random.chance(DARK_SHARE);
    if (dark) site.losePower(random.between(...DARK_MS), 0);
  }

  /** People append to what the centre sends out, and ask again with the same id until they are told something. */
  private async appendAtCentre(dataset: Dataset): Promise<void> {
    const { people, timeline } = this.cloud;
    const entry = this.note(dataset, { site: CENTRE, node: undefined });
    const operation = { verb: 'append', project: PROJECT, name: dataset.name, values: entry.values };
    const body = { id: `append-${entry.values[0]}`, operation };
    for (;;) {
      const told = await inWorld(this.cloud, async (): Promise<Told<LogAnswer> | undefined> => {
        const answer = await people.request(RPC.centreLog, body).catch(() => undefined);
        if (answer === undefined) return undefined;
        const read = logAnswerSchema.safeParse(answer.json());
        return read.success
          ? { ok: true, answer: read.data }
          : { ok: false, why: JSON.stringify(answer.json()) };
      });
      const same = this.at.owner.current(dataset.name)?.incarnation === dataset.incarnation;
      if (told?.ok === true || !same || this.stopped)
        return this.heard(dataset, entry, { told, incarnation: same ? dataset.incarnation : undefined });
      await new Promise<void>((resolve) => void timeline.after(AGAIN_MS, timeline.world, () => resolve()));
    }
  }

  /** Reads on where a reader of this node was, as it would after it has read all before. */
  private async read(dataset: Dataset, site: SimSite, node: SimNode): Promise<void> {
    const key = `${dataset.name} ${node.name}`;
    const log = logAt(node, dataset);
    const { boots } = node.machine;
    const token = this.tokenAt(node);
    if (log === undefined || (token === undefined && site.several)) return;
    const known = this.readers.get(key);
    const isSame = known?.log === log && known.boots === boots;
    const reader: Reader = isSame
      ? known
      : { log, boots, since: `${log.rule.incarnation}.0`, reached: new Map() };
    this.readers.set(key, reader);
    const { since } = reader;
    const limit = this.at.random.whole(1, 40);
    const told = await this.ask(dataset, { verb: 'tail', since, limit }, { site, node, token });
    // Another one has read on meanwhile, or what was read is not there any more.
    const stays = logAt(node, dataset) === log && node.machine.boots === boots && reader.since === since;
    if (told?.ok !== true || !('items' in told.answer) || !stays) return;
    const { items, lost } = told.answer;
    const who = `reader of ${dataset.name} on ${node.name}`;
    this.cloud.say(who, `${since}: ${items.length} items up to ${told.answer.since}`);
    if (lost === true) this.at.wrong(`${who} is told that something is lost after ${since}`);
    for (const item of items) this.follow(reader, item, who);
    reader.since = told.answer.since;
  }

  private follow({ reached }: Reader, item: LogItem, who: string): void {
    if ('gap' in item) return this.at.wrong(`${who} finds a gap: ${JSON.stringify(item.gap)}`);
    const { origin, number } = item;
    const next = (reached.get(origin) ?? 0) + 1;
    const follows = item.area === undefined ? number === next : number >= next;
    if (!follows) this.at.wrong(`${who} finds entry ${number} of ${origin}, not ${next}`);
    reached.set(origin, number);
  }

  private async ask(
    { name }: Dataset,
    asked: Asked,
    { site, node, token }: { site: SimSite; node: SimNode; token: string | undefined },
  ): Promise<Told<LogAnswer> | undefined> {
    if (token !== undefined) {
      const answerIn = (body: unknown) => logAnswerSchema.parse(body);
      return await askEndpoint(this.cloud.timeline, node, {
        token,
        request: requestOf(name, asked),
        answerIn,
      });
    }
    this.count += 1;
    return await askThroughHub(this.cloud, site, {
      id: `${this.at.mark}${this.count.toString(16).padStart(15, '0')}`,
      about: 'log',
      operation: { ...asked, project: PROJECT, name },
      answerIn: (body) => {
        const answer = siteLogAnswerSchema.parse(body);
        return answer.ok ? answer.answer : undefined;
      },
    });
  }

  private note(dataset: Dataset, { site, node }: Pick<Appended, 'site' | 'node'>): Appended {
    const area = site === CENTRE ? undefined : this.at.areaAt(dataset, site);
    const values = Array.from({ length: this.at.random.whole(1, MOST_AT_ONCE) }, () => {
      this.count += 1;
      const value = `e${this.count}`;
      return area === undefined ? value : valueIn(area, value);
    });
    const entry: Appended = { site, node, values, startMs: this.cloud.timeline.now };
    const mine = this.appended.get(dataset.name) ?? [];
    this.appended.set(dataset.name, mine);
    mine.push(entry);
    return entry;
  }

  private heard(
    { name }: Dataset,
    entry: Appended,
    { told, incarnation }: { told: Told<LogAnswer> | undefined; incarnation: number | undefined },
  ): void {
    const became = told === undefined ? 'no answer' : told.ok ? 'stored' : told.why.slice(0, 120);
    this.cloud.say(`writer at ${entry.site}`, `append ${name} ${entry.values.join()}: ${became}`);
    if (told?.ok === true) entry.ackMs = this.cloud.timeline.now;
    if (told?.ok === true && incarnation !== undefined) entry.incarnation = incarnation;
    if (told?.ok === false) entry.refused = true;
  }

  private tokenAt(node: SimNode): string | undefined {
    const tokens = [...node.machine.replicas.values()].flatMap(({ key, token }) =>
      token === undefined || !key.startsWith(`${PROJECT}.`) ? [] : [token],
    );
    return tokens.length === 0 ? undefined : this.at.random.pick(tokens);
  }
}

/** The log at a node, when there is one. */
export function logAt({ agent }: SimNode, { name }: Pick<Dataset, 'name'>): Log | undefined {
  return agent?.entryLogs.get(`${PROJECT}.${name}`)?.log;
}

function requestOf(name: string, asked: Asked): object {
  const url = `/v1/logs/${name}`;
  if (asked.verb === 'append') return requestTo(`${url}?lines=1`, 'POST', { body: asked.values.join('\n') });
  const since = asked.since === undefined ? '' : `since=${asked.since}&`;
  return requestTo(`${url}?${since}limit=${asked.limit}`, 'GET', {});
}

/** Does it as people, and goes on in a process that nothing stops. What it does never rejects. */
function inWorld<T>({ timeline, peopleProcess }: Cloud, run: () => Promise<T>): Promise<T> {
  return new Promise((resolve) => {
    const back = (value: T) => timeline.after(0, timeline.world, () => resolve(value));
    timeline.after(0, peopleProcess, () => void run().then((value) => back(value)));
  });
}
