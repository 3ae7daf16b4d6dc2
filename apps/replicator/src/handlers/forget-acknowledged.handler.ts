import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Following, StoredMessage } from '@skerry/bus';
import { observedSchema, STREAMS, workloadKey, type Observed } from '@skerry/contracts';
import { acknowledges } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';
import { Deliver } from './deliver.handler.js';

/** In the bytes of a report that may acknowledge a removal; others are not even parsed. */
const ABSENT = '"absent"';

/** Takes a tombstone out of `DL` once its site has said that nothing is left there. */
@Injectable()
export class ForgetAcknowledged {
  private following: Following | undefined;

  constructor(
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    private readonly deliver: Deliver,
    @Inject(BUS) private readonly bus: Bus,
  ) {}

  async start(): Promise<void> {
    this.following = await this.bus.follow(STREAMS.OBSERVED.name, (m) => this.handle(m), {
      filters: ['observed.*.workload.>'],
    });
  }

  async stop(): Promise<void> {
    await this.following?.drain();
    this.following = undefined;
  }

  private async handle(message: StoredMessage): Promise<void> {
    if (!Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length).includes(ABSENT))
      return;
    const parsed = observedSchema.safeParse(message.json());
    if (parsed.success) await this.forget(parsed.data);
  }

  private async forget(report: Observed): Promise<void> {
    const key = workloadKey(report.project, report.name);
    if (this.acknowledged(key, report) === undefined) return;
    await this.deliver.alone(key, async () => {
      const sequence = this.acknowledged(key, report);
      if (sequence === undefined) return;
      await this.downlink.drop(sequence);
      this.delivered.forget(key, report.site, sequence);
    });
  }

  private acknowledged(key: string, report: Observed): number | undefined {
    const there = this.delivered.ofWorkload(key).get(report.site);
    return there !== undefined && acknowledges(report, there) ? there.sequence : undefined;
  }
}
