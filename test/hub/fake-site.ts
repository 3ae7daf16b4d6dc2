import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connectBus, type Bus, type Following, type StoredMessage } from '@skerry/bus';
import {
  compareVersions,
  desiredSchema,
  desiredStream,
  digestAnswerSchema,
  intakeAnswerSchema,
  isWorkloadObject,
  JETSTREAM_API,
  pingAnswerSchema,
  SITE,
  SITE_STREAMS,
  SOURCE_HEADER,
  sourceSequence,
  workloadKey,
  type Desired,
  type DigestAnswer,
  type Heartbeat,
  type IntakeAnswer,
  type Node,
  type Observed,
  type WorkloadObject,
} from '@skerry/contracts';
import { writeSeed, type NKey } from '@skerry/identity';

/** How often a site feels whether the hub is there. */
const PULSE_MS = 500;

type Held = WorkloadObject;

/** What an agent says and hears at its site's own server, and nothing else of it: it runs nothing. */
export class FakeSite {
  readonly held = new Map<string, Held>();
  retired = false;
  digests = 0;
  /** When it asked last of those times that it was given a lease: `performance.now()`. */
  leaseAskedAt = 0;
  /** What it says of itself. */
  lastBeat: Heartbeat;
  private lastSequence = 0;
  private following: Following | undefined;
  private heart: NodeJS.Timeout | undefined;
  private pulse: NodeJS.Timeout | undefined;
  private away = false;

  private constructor(
    readonly name: string,
    readonly bus: Bus,
  ) {
    this.lastBeat = heartbeat(name);
  }

  static async start(at: {
    name: string;
    account: string;
    port: number;
    agent: NKey;
    folder: string;
  }): Promise<FakeSite> {
    const nkeySeedFile = join(at.folder, `${at.name}.seed`);
    await writeSeed(nkeySeedFile, at.agent);
    const servers = [`127.0.0.1:${at.port}`];
    const bus = await connectBus({ servers, name: 'agent', nkeySeedFile, onAlarm: () => undefined });
    const fake = new FakeSite(at.name, bus);
    const create = JETSTREAM_API.streamCreate(SITE_STREAMS.DESIRED);
    await bus.request(create, desiredStream(at.account));
    fake.following = await bus.follow(SITE_STREAMS.DESIRED, (m) => fake.take(m));
    bus.listen(SITE.request('digest'), () => void fake.digest().catch(() => undefined));
    fake.pulse = setInterval(() => void fake.feel(), PULSE_MS);
    return fake;
  }

  async close(): Promise<void> {
    this.silence();
    clearInterval(this.pulse);
    await this.following?.drain();
    await this.bus.close();
  }

  /** Version of what is held of a workload, as text with its kind; undefined when nothing is. */
  has(name: string): string | undefined {
    const object = this.held.get(workloadKey('shop', name));
    return object && `${object.kind} ${object.version.generation}.${object.version.revision}`;
  }

  /** Asks the hub what differs, and takes it. */
  async digest(): Promise<DigestAnswer> {
    this.digests += 1;
    const items = [...this.held.values()].map(({ project, name, version }) => ({ project, name, version }));
    const body = { site: this.name, page: 0, last: true, items, lastSequence: this.lastSequence };
    const answer = digestAnswerSchema.parse((await this.bus.request(SITE.digest, body)).json());
    for (const object of answer.objects) this.accept(desiredSchema.parse(object));
    return answer;
  }

  /** Says from now on that it got up to this sequence of `DL`. */
  claim(sequence: number): void {
    this.lastSequence = sequence;
  }

  /** Sends a report up as the outbox's forwarder would. */
  async report(body: Observed | Node, id = randomBytes(16).toString('hex')): Promise<IntakeAnswer> {
    const subject =
      body.kind === 'Observed' ? SITE.outboxWorkload(body.project, body.name) : SITE.outboxNode(body.node);
    return this.send(SITE.uplink(subject), body, id);
  }

  async send(subject: string, body: object, id: string): Promise<IntakeAnswer> {
    const headers = { 'Nats-Msg-Id': id };
    const answer = await this.bus.request(subject, body, { headers, timeoutMs: 10_000 });
    return intakeAnswerSchema.parse(answer.json());
  }

  /** Beats twice a second until `silence`. */
  beat(change: Partial<Heartbeat> = {}): void {
    this.silence();
    this.lastBeat = heartbeat(this.name, change);
    const say = () => this.bus.say(SITE.heartbeat, this.lastBeat);
    say();
    this.heart = setInterval(say, 500);
  }

  silence(): void {
    clearInterval(this.heart);
  }

  /** Sends a digest when the hub is back, as an agent does. */
  private async feel(): Promise<void> {
    try {
      const askedAt = performance.now();
      const answer = await this.bus.request(SITE.ping, {}, { timeoutMs: PULSE_MS });
      if (pingAnswerSchema.parse(answer.json()).lease) this.leaseAskedAt = askedAt;
      if (this.away) await this.digest();
      this.away = false;
    } catch {
      this.away = true;
    }
  }

  private take(message: StoredMessage): void {
    this.lastSequence = Math.max(this.lastSequence, sourceSequence(message.headers[SOURCE_HEADER]) ?? 0);
    this.accept(desiredSchema.parse(message.json()));
  }

  private accept(object: Desired): void {
    if (object.kind === 'Retirement') {
      this.retired = true;
      return;
    }
    if (!isWorkloadObject(object)) return;
    const key = workloadKey(object.project, object.name);
    const known = this.held.get(key);
    if (known === undefined || compareVersions(object.version, known.version) > 0) this.held.set(key, object);
  }
}

export function heartbeat(name: string, change: Partial<Heartbeat> = {}): Heartbeat {
  return {
    kind: 'Heartbeat',
    site: name,
    sentAt: new Date().toISOString(),
    agentVersion: '1',
    incarnation: 'one',
    nodes: 1,
    capacity: {
      shapes: [{ nodes: 1, cpuMillicores: 4_000, memoryMiB: 4_096, diskMiB: 0 }],
      drivers: ['mock'],
    },
    outboxMessages: 0,
    held: 0,
    running: 0,
    ...change,
  };
}
