import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Following, StoredMessage, StreamState } from '@skerry/bus';
import {
  accessSubject,
  byContract,
  desiredFilter,
  desiredSchema,
  desiredSubject,
  formatVersion,
  HEADERS,
  JETSTREAM_API,
  isWorkloadObject,
  nodeRulesSubject,
  parseStored,
  retirementSubject,
  STREAMS,
  type Desired,
} from '@skerry/contracts';
import { BUS, JsonLog } from '@skerry/service';
import { z } from 'zod';
import { DeliveredStore } from './delivered.store.js';

const { DL } = STREAMS;
const SECOND_NS = 1_000_000_000;

/** What the server's API answers, as far as it matters here. */
const answerSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
  config: z.looseObject({ num_replicas: z.number() }).optional(),
});

/** Stream `DL`: the newest desired object of each workload and site. Derived, so it may be made anew at any time. */
@Injectable()
export class DownlinkStore {
  constructor(
    private readonly delivered: DeliveredStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Stores an object if nothing but `expected` lies there (0: nothing at all) and remembers it; fails with `Conflict` else. */
  async put(object: Desired, expected: number): Promise<void> {
    const before = this.delivered.highestSeen;
    const ack = await this.bus.publish(subjectOf(object), object, {
      headers: headersOf(object),
      expect: { sequence: expected },
    });
    this.delivered.wrote(object, ack.sequence, before);
  }

  /** Whether this message lies there still. */
  async holds(sequence: number): Promise<boolean> {
    return (await this.bus.message(DL.name, sequence)) !== undefined;
  }

  async get(sequence: number): Promise<{ object: Desired; traceparent: string | undefined } | undefined> {
    const message = await this.bus.message(DL.name, sequence);
    const object = message === undefined ? undefined : this.read(message);
    return object && { object, traceparent: message?.headers[HEADERS.traceparent] };
  }

  /** Deletes exactly this message; nothing happens when a newer one has taken its place. */
  async drop(sequence: number): Promise<void> {
    await this.bus.deleteMessage(DL.name, sequence);
  }

  async dropSite(site: string): Promise<void> {
    await this.bus.purge(DL.name, desiredFilter(site));
  }

  state(): Promise<StreamState | undefined> {
    return this.bus.streamState(DL.name);
  }

  /** Tells everything that lies there, then all that follows. */
  async follow(handler: (object: Desired, sequence: number) => void): Promise<Following> {
    return this.bus.follow(DL.name, (message) => {
      const object = this.read(message);
      if (object !== undefined) handler(object, message.sequence);
    });
  }

  /**
   * Makes the stream anew and empty, with sequences above `highestSeen`: a site's source ignores sequences that it has
   * passed already, and so would be deaf to a stream that began again at 1.
   */
  async recreate(highestSeen: number): Promise<void> {
    const there = await this.api(JETSTREAM_API.streamInfo(DL.name), {});
    if (there.error === undefined) await this.must(JETSTREAM_API.streamDelete(DL.name), {});
    await this.must(JETSTREAM_API.streamCreate(DL.name), {
      name: DL.name,
      subjects: DL.subjects,
      retention: 'limits',
      storage: 'file',
      discard: DL.discard,
      max_bytes: DL.maxBytes,
      max_msgs_per_subject: DL.maxMessagesPerSubject,
      max_consumers: DL.maxConsumers,
      duplicate_window: DL.duplicateWindowS * SECOND_NS,
      allow_direct: true,
      num_replicas: there.config?.num_replicas ?? 1,
      first_seq: highestSeen + 1,
    });
  }

  private async must(subject: string, body: object): Promise<void> {
    const { error } = await this.api(subject, body);
    if (error !== undefined) throw new Error(`${subject}: ${error.description} (${error.code})`);
  }

  private async api(subject: string, body: object): Promise<z.infer<typeof answerSchema>> {
    return answerSchema.parse((await this.bus.request(subject, body)).json());
  }

  private read(message: StoredMessage): Desired | undefined {
    const parsed = parseStored(desiredSchema, message.json(), message.headers);
    if (parsed.ok) return parsed.value;
    this.log.error(`${message.subject} in DL at ${message.sequence} is no desired object`);
    return undefined;
  }
}

function subjectOf(object: Desired): string {
  switch (object.kind) {
    case 'Retirement':
      return retirementSubject(object.site);
    case 'NodeRules':
      return nodeRulesSubject(object.site);
    case 'Access':
      return accessSubject(object.site);
    case 'Assignment':
    case 'Tombstone':
      return desiredSubject(object.site, object.project, object.name);
  }
}

function headersOf(object: Desired): Record<string, string> {
  if (!isWorkloadObject(object)) return byContract();
  return {
    ...byContract(),
    [HEADERS.requestId]: object.requestId,
    [HEADERS.version]: formatVersion(object.version),
  };
}
