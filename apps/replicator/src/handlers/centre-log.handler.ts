import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Message, Subscription } from '@skerry/bus';
import {
  centreLogRequestSchema,
  parse,
  Refusal,
  RPC,
  workloadKey,
  type Dataset,
  type LogAnswer,
  type LogItem,
  type Tailed,
  type TailOperation,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { EntriesStore } from '../stores/entries.store.js';
import { logOf, LogsStore } from '../stores/logs.store.js';
import { TakeEntries } from './take-entries.handler.js';

/** How far back is looked for the newest, in messages of all logs, until there are enough. */
const SPANS = [64, 1_024, 16_384, Number.MAX_SAFE_INTEGER] as const;
/** Clocks of sites are wrong by up to so much; an entry may be stored so long before the time it says. */
const SKEW_MS = 5_000;

/** Answers what people ask of the centre's own part of logs. Only the active instance answers: it alone writes them. */
@Injectable()
export class CentreLog {
  private answering: Subscription | undefined;

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    private readonly logs: LogsStore,
    private readonly entries: EntriesStore,
    private readonly takeEntries: TakeEntries,
  ) {}

  start(): void {
    this.answering ??= this.bus.respond(RPC.centreLog, async (message) => await this.handle(message));
  }

  async stop(): Promise<void> {
    const { answering } = this;
    this.answering = undefined;
    await answering?.drain();
  }

  private async handle(message: Message): Promise<LogAnswer> {
    const request = parse(centreLogRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a request about a log', { issues: request.issues });
    const { id, operation } = request.value;
    const dataset = this.logs.named(operation);
    if (dataset === undefined)
      throw new Refusal('not-found', `there is no log ${operation.project}/${operation.name}`, {
        hint: 'list datasets with "skerry data ls"',
      });
    if (dataset.spec.encryption !== undefined)
      throw new Refusal(
        'residency',
        `${dataset.project}/${dataset.name} is encrypted: at the centre there is ciphertext alone`,
        { hint: `workloads of ${dataset.project} read it at their site (/v1/logs/${dataset.name})` },
      );
    switch (operation.verb) {
      case 'append': {
        if (logOf(dataset).flow !== 'broadcast')
          throw new Refusal('conflict', `${dataset.project}/${dataset.name} is written at sites`, {
            hint: 'name one with --at',
          });
        await this.takeEntries.fromCentre(dataset, operation.values, id);
        return { appended: operation.values.length, kept: operation.values.length };
      }
      case 'tail':
        return await this.tail(dataset, operation);
      case 'state':
        throw new Refusal('invalid', 'the state of a log is asked of a site');
    }
  }

  private async tail(dataset: Dataset, asked: TailOperation): Promise<Tailed> {
    if (asked.since === undefined && asked.fromMs === undefined) return await this.newest(dataset, asked);
    const [made, sequence = 0] = (asked.since ?? `${dataset.incarnation}.0`).split('.').map(Number);
    const known = made === dataset.incarnation && Number.isSafeInteger(sequence) && sequence >= 0;
    const begin = asked.since === undefined ? await this.beginningOf(dataset, asked.fromMs ?? 0) : 0;
    let page = await this.after(dataset, asked, known ? Math.max(sequence, begin) : 0);
    if (page.items.length === 0 && !page.more && asked.waitMs > 0) {
      await this.takeEntries.waiters.next(workloadKey(dataset.project, dataset.name), asked.waitMs);
      page = await this.after(dataset, asked, page.upTo);
    }
    const { items, upTo, more } = page;
    return { items, more, since: `${dataset.incarnation}.${upTo}`, ...(known ? {} : { lost: true }) };
  }

  /** What is wanted of a page; pages of which nothing is are passed over. */
  private async after(dataset: Dataset, { site, fromMs = 0, limit }: TailOperation, from: number) {
    const only = site === undefined ? {} : { site };
    let page = await this.entries.page(dataset, from, { ...only, limit });
    let items = wanted(page.items, dataset, fromMs);
    while (items.length === 0 && page.more) {
      page = await this.entries.page(dataset, page.upTo, { ...only, limit });
      items = wanted(page.items, dataset, fromMs);
    }
    return { ...page, items };
  }

  /** The newest, oldest of them first. */
  private async newest(dataset: Dataset, { site, limit }: TailOperation): Promise<Tailed> {
    const { sequence: head } = await this.entries.head(dataset);
    const only = site === undefined ? {} : { site };
    let items: LogItem[] = [];
    for (const span of SPANS) {
      items = [];
      const from = Math.max(0, head - span);
      for (let [after, more] = [from, true]; more;) {
        const page = await this.entries.page(dataset, after, only);
        items = [...items, ...wanted(page.items, dataset, 0)].slice(-limit);
        [after, more] = [page.upTo, page.more];
      }
      if (items.length >= limit || from === 0) break;
    }
    return { items, since: `${dataset.incarnation}.${head}`, more: false };
  }

  /** The place before what was written from a moment on. */
  private async beginningOf(dataset: Dataset, fromMs: number): Promise<number> {
    const first = await this.entries.seek(dataset, ({ storedAt }) => storedAt >= fromMs - SKEW_MS);
    return Math.max(0, first - 1);
  }
}

function wanted(items: readonly LogItem[], { spec }: Dataset, fromMs: number): LogItem[] {
  const oldest = Math.max(fromMs, spec.ttlMs === undefined ? 0 : Date.now() - spec.ttlMs);
  return items.filter((item) => 'gap' in item || item.at >= oldest);
}
