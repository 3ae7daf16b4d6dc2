import { matches } from '@skerry/bus';
import {
  desiredFilter,
  HUB,
  SITE,
  SITE_STREAMS,
  SOURCE_HEADER,
  sourceSequence,
  STREAMS,
} from '@skerry/contracts';
import { hasDurable } from './jetstream-api.js';
import type { Link } from './link.js';
import type { Random } from './random.js';
import type { SimServer } from './sim-server.js';

/** How long a durable source takes to go on after its connection was away (see NATS.md: 4 to 16 s; 1 s when it noticed at once). */
const RESUME_MS = [1_000, 12_000] as const;
/** While its durable, or its own stream, is not there. */
const LOOK_AGAIN_MS = 1_000;

type Plain = Parameters<SimServer['memory']['say']>[0];
type Answer = Parameters<SimServer['memory']['say']>[1];

/** A plain message, or the answer to one, as it sets out; `subject` is that of the message, as it was said. */
export interface Crossing {
  way: 'up' | 'down';
  subject: string;
  bytes: Uint8Array;
}

/**
 * A site's way to the hub: plain messages cross it with the account put in, as the server's exports and imports have it, and
 * the site's stream of desired objects sources the hub's.
 */
export class Leaf {
  private next = 0;
  private going = false;
  private readonly listeners: ((crossing: Crossing) => void)[] = [];

  constructor(
    private readonly at: { site: string; account: string; server: SimServer; hub: SimServer },
    readonly link: Link,
    private readonly random: Random,
  ) {
    const { account, server, hub } = at;
    this.cross('rpc.>', 'up', [server, hub], (s) => `rpc.${account}.${s.slice('rpc.'.length)}`);
    this.cross('up.>', 'up', [server, hub], (s) => `ing.${account}.${s.slice('up.'.length)}`);
    const down = HUB.request(account, '');
    this.cross(`${down}>`, 'down', [hub, server], (s) => SITE.request(s.slice(down.length)));
    link.onState((open) => this.turn(open));
  }

  /** From now on what is new in datasets crosses too. */
  carryDatasets(): void {
    const { account, server, hub } = this.at;
    this.cross(HUB.recordDelivery(account), 'down', [hub, server], () => SITE.recordDelivery);
    this.cross(HUB.copyNews(account), 'down', [hub, server], () => SITE.copyNews);
    const given = HUB.givenTo(account, '');
    this.cross(`${given}*`, 'down', [hub, server], (s) => SITE.givenBy(s.slice(given.length)));
  }

  /** From now on what is new in logs crosses too. */
  carryLogs(): void {
    const { account, server, hub } = this.at;
    this.cross(HUB.entryDelivery(account), 'down', [hub, server], () => SITE.entryDelivery);
    this.cross(HUB.logNews(account), 'down', [hub, server], () => SITE.logNews);
  }

  /** Called with all that sets out on it, but for what is desired at the site. */
  onCrossing(listener: (crossing: Crossing) => void): void {
    this.listeners.push(listener);
  }

  private tell(crossing: Crossing): void {
    for (const listener of this.listeners) listener(crossing);
  }

  private cross(
    filter: string,
    way: 'up' | 'down',
    [from, to]: readonly [SimServer, SimServer],
    rename: (subject: string) => string,
  ): void {
    const { link } = this;
    const back = way === 'up' ? 'down' : 'up';
    from.memory.hear({
      filter,
      queue: undefined,
      here: () => link.connected,
      hear: (m: Plain, reply: Answer) => {
        const answer: Answer =
          reply &&
          ((bytes, headers) => {
            this.tell({ way: back, subject: m.subject, bytes });
            link.sendLoosely(back, () => reply(bytes, headers));
          });
        this.tell({ way, subject: m.subject, bytes: m.data });
        link.sendLoosely(way, () => to.memory.say({ ...m, subject: rename(m.subject) }, answer));
      },
    });
  }

  private turn(open: boolean): void {
    this.going = false;
    if (!open) return;
    const { incarnation } = this.link;
    const [least, most] = RESUME_MS;
    this.later(this.random.between(least, most), incarnation);
  }

  private later(ms: number, incarnation: number): void {
    const { process } = this.at.server;
    process.timeline.after(ms, process.timeline.world, () => {
      if (incarnation === this.link.incarnation && this.link.connected) this.begin(incarnation);
    });
  }

  /** Goes on behind what the site's stream has, when there is something to go on with. */
  private begin(incarnation: number): void {
    const { account, server, hub } = this.at;
    const own = server.memory.streams.get(SITE_STREAMS.DESIRED);
    const source = hub.memory.streams.get(STREAMS.DL.name);
    if (own === undefined || source === undefined || !hasDurable(hub.memory, STREAMS.DL.name, account)) {
      return this.later(LOOK_AGAIN_MS, incarnation);
    }
    if (this.going) return;
    this.going = true;
    // The newest of each subject may have been passed already: that is not sent again.
    const held = [...own.from(1)].map((m) => sourceSequence(m.headers[SOURCE_HEADER]) ?? 0);
    this.next = Math.max(0, ...held);
    const stop = source.onStored((m) => {
      const over =
        incarnation !== this.link.incarnation || hub.memory.streams.get(STREAMS.DL.name) !== source;
      if (over) return stop();
      this.send(m, incarnation);
    });
    for (const m of source.from(this.next + 1)) this.send(m, incarnation);
    this.watch(source, incarnation);
  }

  /** A stream made anew has another durable: the source waits for it. */
  private watch(source: object, incarnation: number): void {
    const { process } = this.at.server;
    process.timeline.after(LOOK_AGAIN_MS, process.timeline.world, () => {
      if (incarnation !== this.link.incarnation) return;
      const { memory } = this.at.hub;
      const there = hasDurable(memory, STREAMS.DL.name, this.at.account);
      if (memory.streams.get(STREAMS.DL.name) === source && there) return this.watch(source, incarnation);
      this.going = false;
      this.later(LOOK_AGAIN_MS, incarnation);
    });
  }

  private send(
    m: { subject: string; bytes: Uint8Array; headers: Readonly<Record<string, string>>; sequence: number },
    incarnation: number,
  ): void {
    if (!matches(desiredFilter(this.at.site), m.subject)) return;
    this.link.send('down', () => {
      if (!this.going || incarnation !== this.link.incarnation || m.sequence <= this.next) return;
      this.next = m.sequence;
      const headers = { ...m.headers, [SOURCE_HEADER]: `${STREAMS.DL.name} ${m.sequence} >` };
      // The hub's conditions are the hub's.
      const own = Object.entries(headers).filter(([name]) => !name.startsWith('Nats-Expected'));
      this.at.server.memory.streams
        .get(SITE_STREAMS.DESIRED)
        ?.publish({ subject: m.subject, bytes: m.bytes, headers: Object.fromEntries(own) });
    });
  }
}
