import type { Bus, Subscription } from '@skerry/bus';
import { parseAcross, workloadKey, type DatasetRef } from '@skerry/contracts';
import type { z } from 'zod';
import { reason, type Log } from '../log.js';
import { Greeting } from './greeting.js';
import { HubHearing } from './hub-hearing.js';

/** What the hub says: what this node has from now on, with where the hub is, and what it forgets. The rest stays as it is. */
export interface News<Wanted extends { rule: DatasetRef }, Gone extends DatasetRef> {
  wanted: Wanted[];
  gone: Gone[];
}

/** One dataset's way up and down. */
export interface Way<Wanted, Delivery> {
  readonly incarnation: number;
  /** By how many sequences of the hub's stream; undefined: not known. */
  readonly behind?: number | undefined;
  /** Where the hub is with it. */
  heardWhere(wanted: Wanted): Promise<void>;
  /** Something came down. */
  hear(delivery: Delivery): void;
  /** Sends what the hub has not got. */
  send(): void;
  stop(): void;
}

/** How datasets of one kind are kept at this node, and how the hub speaks of them. */
export interface Kind<
  Wanted extends { rule: DatasetRef },
  Gone extends DatasetRef,
  Delivery,
  W extends Way<Wanted, Delivery> = Way<Wanted, Delivery>,
> {
  /** For the log: 'copies'. */
  what: string;
  news: { subject: string; schema: z.ZodType<News<Wanted, Gone>> };
  deliveries: { subject: string; schema: z.ZodType<Delivery> };
  /** Says where this node is; what the hub answers. */
  greet: () => Promise<News<Wanted, Gone>>;
  keys: () => string[];
  kept: (key: string) => { rule: DatasetRef } | undefined;
  want: (rule: Wanted['rule']) => Promise<{ rule: DatasetRef }>;
  /** Whether what was said and not asked for is none of what follows what is known here. It is asked for then. Default: never. */
  isOdd?: (wanted: Wanted) => boolean;
  /** Forgets one; false when it stays, since the hub has not got all of it. */
  forget: (key: string, gone: Gone) => Promise<boolean>;
  /** The way of one that is kept. */
  way: (key: string) => W | undefined;
  /** Whether a silent hub is asked if it is back; default: no. */
  probes?: boolean;
}

/** Keeps the datasets of one kind at this node in step with the hub: has those that it is to have, each with its way up and down. */
export class InStep<
  Wanted extends { rule: DatasetRef },
  Gone extends DatasetRef,
  Delivery extends DatasetRef,
  W extends Way<Wanted, Delivery> = Way<Wanted, Delivery>,
> {
  private readonly ways = new Map<string, W>();
  private readonly subscriptions: Subscription[] = [];
  private readonly greeting: Greeting;
  private readonly hearing: HubHearing;
  private readonly log: Log;

  constructor(
    private readonly bus: Bus,
    private readonly kind: Kind<Wanted, Gone, Delivery, W>,
    { silentMs, log }: { silentMs: () => number; log: Log },
  ) {
    this.log = log;
    const exchange = async () => await this.apply(await kind.greet());
    this.greeting = new Greeting({ exchange, what: kind.what, log });
    this.hearing = new HubHearing(bus, {
      silentMs,
      turned: (silent) => this.turned(silent),
      waits: () => kind.probes === true && this.ways.size > 0,
    });
  }

  start(): void {
    const { news, deliveries, keys } = this.kind;
    for (const key of keys()) this.wayOf(key);
    this.subscriptions.push(
      this.bus.listen(news.subject, (m) => this.hearNews(m.json())),
      this.bus.listen(deliveries.subject, (m) => this.hearDelivery(m.json())),
    );
    this.hearing.start();
    this.greeting.start(this.bus);
  }

  async stop(): Promise<void> {
    this.hearing.stop();
    const greeted = this.greeting.stop();
    for (const subscription of this.subscriptions) await subscription.drain();
    for (const way of this.ways.values()) way.stop();
    await greeted;
  }

  /** Says where this node is and does what the answer says; again until there is one. */
  greet(): void {
    this.greeting.ask();
  }

  /** Whether the hub has not been heard for a while. */
  get silent(): boolean {
    return this.hearing.silent;
  }

  /** Something was written here. */
  send(key: string): void {
    this.ways.get(key)?.send();
  }

  /** The way of a dataset that is kept here. */
  way(key: string): W | undefined {
    return this.ways.get(key);
  }

  /** By how many sequences of the hub's stream a dataset is behind; undefined: the hub has not said where it is. */
  behind(key: string): number | undefined {
    return this.ways.get(key)?.behind;
  }

  private wayOf(key: string): W | undefined {
    const way = this.ways.get(key) ?? this.kind.way(key);
    if (way !== undefined) this.ways.set(key, way);
    return way;
  }

  private leave(key: string): void {
    this.ways.get(key)?.stop();
    this.ways.delete(key);
  }

  /** Does all of it that can be done: one that fails keeps no other back. Throws what failed first. */
  private async apply({ wanted, gone }: News<Wanted, Gone>): Promise<void> {
    const errors: unknown[] = [];
    const failed = (error: unknown) => void errors.push(error);
    for (const ref of gone) await this.forget(ref).catch(failed);
    for (const place of wanted) await this.have(place).catch(failed);
    if (errors.length > 0) throw errors[0];
  }

  private async forget(ref: Gone): Promise<void> {
    const key = workloadKey(ref.project, ref.name);
    if (this.kind.kept(key)?.rule.incarnation !== ref.incarnation) return;
    this.leave(key);
    if (!(await this.kind.forget(key, ref))) this.wayOf(key)?.send();
  }

  private async have(place: Wanted): Promise<void> {
    const { rule } = place;
    const key = workloadKey(rule.project, rule.name);
    const before = this.kind.kept(key);
    if (before !== undefined && before.rule.incarnation > rule.incarnation) return;
    if ((await this.kind.want(rule)) !== before) this.leave(key);
    await this.wayOf(key)?.heardWhere(place);
  }

  private hearNews(body: unknown): void {
    const { what, news, isOdd } = this.kind;
    const parsed = parseAcross(news.schema, body);
    if (!parsed.ok) return this.log.warn(`news of ${what} that are none`);
    const { wanted, gone } = parsed.value;
    // Something is new, and who wants to know has to ask.
    if (wanted.length + gone.length === 0) return this.greet();
    // An old word that comes late, or a hub that has lost its newest: what it answers is so.
    if (isOdd !== undefined && wanted.some(isOdd)) return this.greet();
    this.apply(parsed.value).catch((error: unknown) => {
      this.log.warn(`news of ${what} were not taken`, { reason: reason(error) });
      this.greet();
    });
  }

  private hearDelivery(body: unknown): void {
    const parsed = parseAcross(this.kind.deliveries.schema, body);
    if (!parsed.ok) return this.log.warn(`a delivery for ${this.kind.what} that is none`);
    const { project, name, incarnation } = parsed.value;
    const way = this.ways.get(workloadKey(project, name));
    if (way?.incarnation === incarnation) way.hear(parsed.value);
    else this.greet();
  }

  private turned(silent: boolean): void {
    if (silent) return;
    this.greet();
    for (const way of this.ways.values()) way.send();
  }
}
