import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { hubHealthSchema, parse, RPC, type HubHealth } from '@skerry/contracts';
import { BUS } from '@skerry/service';

const WAIT_MS = 2_500;

/** What to do about a hub that stores nothing more. */
export const MAKE_ROOM =
  'free disk space at the hub, then restart its nats-server (a local cloud: Ctrl-C and npm start): until then it stores nothing, also with room';

/** How the hub itself says it fares. */
@Injectable()
export class AskHub {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Undefined when nobody can tell. Never throws. */
  async health(): Promise<HubHealth | undefined> {
    const answer = await this.bus.request(RPC.hub, {}, { timeoutMs: WAIT_MS }).catch(() => undefined);
    const parsed = answer && parse(hubHealthSchema, answer.json());
    return parsed?.ok === true ? parsed.value : undefined;
  }
}
