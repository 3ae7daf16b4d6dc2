import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Following, StoredMessage } from '@skerry/bus';
import {
  observedSchema,
  STREAMS,
  versionSchema,
  workloadKey,
  type Observed,
  type Version,
} from '@skerry/contracts';
import { acknowledges } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';
import { Deliver } from './deliver.handler.js';

/** In the bytes of a report that may acknowledge a removal; others are not parsed as a whole: there are many. */
const ABSENT = '"absent"';
/** The version stands before everything that a report has many of. */
const VERSION = /"version":(\{[^{}]*\})/;
const HEAD_BYTES = 512;
/** Tombstones that are being taken out at once: what is heard waits for no single one of them. */
const AT_ONCE = 64;

/**
 * Hears from the sites what they act on, so that one that hears nothing is noticed; and takes a tombstone out of `DL`
 * once its site has said that nothing is left there.
 */
@Injectable()
export class HearReports {
  private following: Following | undefined;
  private readonly forgetting = new Set<Promise<void>>();

  constructor(
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    private readonly deliver: Deliver,
    @Inject(BUS) private readonly bus: Bus,
  ) {}

  async start(): Promise<void> {
    await this.following?.drain();
    this.following = await this.bus.follow(STREAMS.OBSERVED.name, (m) => this.handle(m), {
      filters: ['observed.*.workload.>'],
    });
  }

  async stop(): Promise<void> {
    await this.following?.drain();
    this.following = undefined;
    await Promise.all(this.forgetting);
  }

  private async handle(message: StoredMessage): Promise<void> {
    const bytes = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length);
    const [, site = '', , project = '', name = ''] = message.subject.split('.');
    const version = versionIn(bytes);
    if (version !== undefined) this.delivered.heard(site, workloadKey(project, name), version);
    if (!bytes.includes(ABSENT)) return;
    const parsed = observedSchema.safeParse(message.json());
    if (!parsed.success) return;
    const key = workloadKey(project, name);
    if (this.acknowledged(key, parsed.data) === undefined) return;
    const forgetting = this.forget(key, parsed.data).finally(() => this.forgetting.delete(forgetting));
    this.forgetting.add(forgetting);
    if (this.forgetting.size >= AT_ONCE) await Promise.race(this.forgetting);
  }

  /** Never rejects: what was not deleted lies there until its site says so again. */
  private async forget(key: string, report: Observed): Promise<void> {
    await this.deliver.alone(key, async () => {
      const sequence = this.acknowledged(key, report);
      if (sequence === undefined) return;
      await this.downlink.drop(sequence);
      this.delivered.forget(key, report.site, sequence);
    });
    // A singleton may wait for this end.
    this.deliver.soon(key);
  }

  private acknowledged(key: string, report: Observed): number | undefined {
    const there = this.delivered.ofWorkload(key).get(report.site);
    return there !== undefined && acknowledges(report, there) ? there.sequence : undefined;
  }
}

/** The version that a report is about, read without parsing the rest. */
function versionIn(bytes: Buffer): Version | undefined {
  const text = VERSION.exec(bytes.toString('utf8', 0, HEAD_BYTES))?.[1];
  const parsed = text === undefined ? undefined : versionSchema.safeParse(JSON.parse(text));
  return parsed?.success === true ? parsed.data : undefined;
}
