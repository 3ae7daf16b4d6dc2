import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer, type Message } from '@skerry/bus';
import {
  admitRequestSchema,
  BUCKETS,
  parse,
  planRequestSchema,
  Refusal,
  RPC,
  STREAMS,
  type Plan,
} from '@skerry/contracts';
import type { z } from 'zod';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { PlansStore } from '../stores/plans.store.js';
import { AskHub } from './hub-health.js';
import { MakePlans } from './make-plans.js';
import { SendCommand } from './send-command.js';

const CALLER = {
  actor: { subject: 'vera', role: 'viewer' as const },
  requestId: 'request-0001',
  mayBeRetry: false,
  trace: { traceId: '0'.repeat(32), header: '' },
};
const FIGURES = { replicas: 0, costPerMonth: 0 };
const PLAN: Plan = {
  id: 'plan-0123456789abcdef',
  scenario: { kind: 'apply' },
  items: [],
  before: FIGURES,
  after: FIGURES,
  untouched: 0,
};

let bus: MemoryBus;
let plans: MakePlans;
beforeEach(async () => {
  bus = new MemoryBus(new MemoryServer());
  await bus.ensureStream(STREAMS.CMD);
  for (const bucket of [BUCKETS.plans, BUCKETS.outcomes]) await bus.ensureBucket(bucket);
  const outcomes = new OutcomesStore(bus);
  const commands = new SendCommand(bus, outcomes, new AskHub(bus));
  plans = new MakePlans(bus, new PlansStore(bus), outcomes, commands);
});
afterEach(async () => {
  await bus.close();
});

/** Refuses as a service does whose schema this is. */
function strictly<T>(schema: z.ZodType<T>, message: Message): T {
  const request = parse(schema, message.json());
  if (request.ok) return request.value;
  throw new Refusal('malformed', 'not a request', { issues: request.issues });
}

const bodyOf = (kind: string, spec: object) => {
  const document = { apiVersion: 'skerry/v1', kind, metadata: { name: 'one', project: 'shop' }, spec };
  return {
    mediaType: 'application/json',
    bytes: new TextEncoder().encode(JSON.stringify({ documents: [document] })),
  };
};
const DATASET = bodyOf('Dataset', { type: 'keyvalue' });
const WORKLOAD = bodyOf('Workload', { run: { command: ['node'] } });

describe('services of the version before', () => {
  it.each(['policy', 'scheduler'])(
    '%s plans workloads, and datasets are refused rather than left out',
    async (old) => {
      const admit = old === 'policy' ? admitRequestSchema.omit({ datasets: true }) : admitRequestSchema;
      const plan = old === 'scheduler' ? planRequestSchema.omit({ datasets: true }) : planRequestSchema;
      bus.respond(RPC.admit, (message) => {
        const request = strictly(admit, message);
        return { items: [], ...('datasets' in request && { datasets: [] }) };
      });
      bus.respond(RPC.plan, (message) => {
        strictly(plan, message);
        return PLAN;
      });
      expect(await plans.plan(WORKLOAD, CALLER)).toEqual(PLAN);
      await expect(plans.plan(DATASET, CALLER)).rejects.toMatchObject({
        code: 'conflict',
        message: `${old} is of a version that plans no datasets`,
      });
    },
  );

  it('that leave datasets out without a word are found out', async () => {
    bus.respond(RPC.admit, () => ({ items: [], datasets: [] }));
    bus.respond(RPC.plan, () => PLAN);
    await expect(plans.plan(DATASET, CALLER)).rejects.toThrow('plans no datasets');
  });
});

describe('a dataset that policy refuses', () => {
  it('is refused with the words of policy', async () => {
    bus.respond(RPC.admit, () => {
      const issues = [{ path: 'dataset one: spec.copies', problem: 'no site may have a copy' }];
      throw new Refusal('invalid', 'refused: 1 problem', { issues });
    });
    await expect(plans.plan(DATASET, CALLER)).rejects.toMatchObject({ code: 'invalid' });
  });
});
