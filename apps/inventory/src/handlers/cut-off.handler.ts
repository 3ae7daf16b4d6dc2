import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { RPC, type CutOffRequest, type Site } from '@skerry/contracts';
import { BUS, JsonLog } from '@skerry/service';
import { SendingStore } from '../stores/sending.store.js';

const TIMEOUT_MS = 2_000;

/** Asks policy to suspend the account of a site that floods. Until then, and as long, this instance takes nothing of it. */
@Injectable()
export class CutOff {
  constructor(
    private readonly sending: SendingStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle({ name, account }: Site, reason: string): Promise<void> {
    this.log.warn(`site ${name} is cut off: ${reason}`);
    const body: CutOffRequest = { site: name, account, forMs: this.sending.quota.cutOffForMs, reason };
    try {
      await this.bus.request(RPC.cutOff, body, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      this.log.error(`site ${name} could not be cut off`, error);
    }
  }
}
