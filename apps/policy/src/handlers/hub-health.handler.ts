import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { parse, type HubHealth } from '@skerry/contracts';
import { HEALTH_REQUEST } from '@skerry/identity';
import { z } from 'zod';
import { SYSTEM_BUS } from '../sites/system-bus.js';

const TIMEOUT_MS = 2_000;
const DETAIL_CHARS = 500;

const healthSchema = z.object({
  server: z.object({ name: z.string() }),
  data: z.object({ status: z.string(), error: z.string().optional() }),
});

/** Asks the hub how it fares. Its answer is the only place where a full disk shows by itself. */
@Injectable()
export class HubHealthHandler {
  constructor(@Inject(SYSTEM_BUS) private readonly system: Bus) {}

  async handle(): Promise<HubHealth> {
    const answer = await this.system.request(HEALTH_REQUEST, {}, { timeoutMs: TIMEOUT_MS });
    const parsed = parse(healthSchema, answer.json());
    if (!parsed.ok) return { server: '', ok: false, detail: 'an answer that cannot be read' };
    const { server, data } = parsed.value;
    const detail = (data.error ?? data.status).slice(0, DETAIL_CHARS);
    return { server: server.name, ok: data.status === 'ok', detail };
  }
}
