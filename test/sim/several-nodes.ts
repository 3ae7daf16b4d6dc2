import {
  allotmentSchema,
  bucketStream,
  bucketSubject,
  SITE_BUCKETS,
  SITE_EPOCH_KEY,
  type Allotment,
} from '@skerry/contracts';
import { slotsOn } from '@skerry/domain';
import type { Cloud } from './cloud.js';
import type { Broken } from './invariants.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

type Stream = NonNullable<ReturnType<Cloud['hub']['memory']['streams']['get']>>;
type Stored = Parameters<Parameters<Stream['onStored']>[0]>[0];

const LOOK_MS = 500;
/**
 * A node that hears its site goes on for at most this long with what it was not given: until it has heard of it (an agent
 * that was away follows its server after a second or two), and the replica has ended (5 s of grace at most).
 */
const LETS_GO_MS = 12_000;

const BOOK = bucketStream(SITE_BUCKETS.allotments.name);

/** Looks at what has to hold over the nodes of one site with every allotment that its server stores, and twice a second. */
export function watchNodes(cloud: Cloud, site: SimSite, broken: (broken: Broken) => void): void {
  new SeveralNodes(cloud, site, broken).begin();
}

class SeveralNodes {
  private epoch = 0;
  private readonly actsSince = new Map<SimNode, number>();
  /** Since when a process runs that its node was not given. */
  private readonly strays = new Map<string, number>();

  constructor(
    private readonly cloud: Cloud,
    private readonly site: SimSite,
    private readonly broken: (broken: Broken) => void,
  ) {}

  begin(): void {
    this.follow();
    this.later();
  }

  private follow(): void {
    const { memory } = this.site.server;
    let heard: Stream | undefined;
    const attach = () => {
      const stream = memory.streams.get(BOOK);
      if (stream === undefined || stream === heard) return;
      heard = stream;
      this.epoch = stream.newest(bucketSubject(SITE_BUCKETS.allotments.name, SITE_EPOCH_KEY))?.sequence ?? 0;
      stream.onStored((m) => stream === memory.streams.get(BOOK) && this.stored(m));
    };
    memory.onStreams(attach);
    attach();
  }

  private stored(m: Stored): void {
    const key = m.subject.split('.').slice(2).join('.');
    if (key === SITE_EPOCH_KEY) {
      this.epoch = m.sequence;
      this.cloud.say(this.site.name, `allotments: epoch ${this.epoch}`);
      return;
    }
    const allotment = allotmentOf(m);
    if (allotment === undefined) return;
    const { slots, leaving, epoch, tombstone } = allotment;
    const still = leaving === undefined ? '' : `, leaving ${JSON.stringify(leaving)}`;
    const what = tombstone === undefined ? `[${slots.join()}]${still}` : 'nothing any more';
    this.cloud.say(this.site.name, `allots ${key} ${what} (epoch ${epoch})`);
    if (epoch === this.epoch) return;
    const detail = `${key} was allotted at ${this.site.name} with epoch ${epoch}, but it is ${this.epoch}`;
    this.broken({ invariant: 'fenced', detail });
  }

  private later(): void {
    const { timeline } = this.cloud;
    timeline.after(LOOK_MS, timeline.world, () => {
      for (const node of this.site.nodes) this.look(node);
      this.later();
    });
  }

  /** Nobody who hears his site runs for long what he was not given: so no slot runs twice for long. */
  private look(node: SimNode): void {
    const { now } = this.cloud.timeline;
    // A node with a full disk takes up nothing new.
    if (!node.acts || node.machine.disk.full) {
      this.actsSince.delete(node);
      return;
    }
    const acts = this.actsSince.get(node) ?? now;
    this.actsSince.set(node, acts);
    for (const { id, pid, key, slot } of node.machine.replicas.values()) {
      const stray = `${node.name} ${pid}`;
      if (this.may(node.machine.node, key, slot)) {
        this.strays.delete(stray);
        continue;
      }
      const since = Math.max(acts, this.strays.get(stray) ?? now);
      this.strays.set(stray, since);
      if (now - since < LETS_GO_MS) continue;
      const detail = `${id} runs on ${node.name} for ${Math.round(now - since)} ms, which was not given to it`;
      this.broken({ invariant: 'allotted', detail });
    }
  }

  private may(node: string, key: string, slot: number): boolean {
    const m = this.site.server.memory.streams
      .get(BOOK)
      ?.newest(bucketSubject(SITE_BUCKETS.allotments.name, key));
    const allotment = m === undefined ? undefined : allotmentOf(m);
    // What runs goes on until somebody has decided.
    return allotment === undefined || slotsOn(node, allotment, false).includes(slot);
  }
}

function allotmentOf(m: Stored): Allotment | undefined {
  if (m.bytes.length === 0) return undefined;
  return allotmentSchema.parse(JSON.parse(new TextDecoder().decode(m.bytes)));
}
