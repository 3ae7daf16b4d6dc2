import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer, type Message } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  commandSchema,
  LIMITS,
  outcomeSchema,
  STREAMS,
  type Command,
  type Operation,
  type ProposalAnswer,
  type ProposalRequest,
} from '@skerry/contracts';
import { makeApiToken, signSiteRequest } from '@skerry/identity';
import { FleetStore } from '../stores/fleet.store.js';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { TokensStore } from '../stores/tokens.store.js';
import { AskHub } from './hub-health.js';
import { SendCommand } from './send-command.js';
import { SiteProposals } from './site-proposals.js';

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const made = (role: 'operator' | 'viewer') =>
  makeApiToken({ subject: 'ann', role, nowMs: NOW - HOUR_MS, expiresAtMs: NOW + HOUR_MS });
const OPERATOR = made('operator');
const VIEWER = made('viewer');
const STOP: Operation = { verb: 'stop', project: 'shop', name: 'web' };

const put = (key: string, value: unknown) =>
  ({ kind: 'put', key, value, revision: 1, headers: {}, at: 0 }) as const;

describe('what people changed at a site', () => {
  let bus: MemoryBus;
  let proposals: SiteProposals;
  let fleet: FleetStore;
  let commands: Command[];

  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream(STREAMS.CMD);
    await bus.ensureBucket(BUCKETS.outcomes);
    const outcomes = new OutcomesStore(bus);
    await bus.follow(bucketStream(BUCKETS.outcomes.name), (m) => outcomes.take(m), { from: 'new' });
    commands = [];
    const bucket = bus.bucket(BUCKETS.outcomes, (value) => outcomeSchema.parse(value));
    // Stands in for policy, and agrees to everything.
    await bus.follow(
      STREAMS.CMD.name,
      async (m) => {
        const command = commandSchema.parse(m.json());
        commands.push(command);
        const { requestId, body } = command;
        const common = { kind: 'Outcome' as const, requestId, decidedAt: new Date().toISOString() };
        await bucket.put(requestId, { ...common, ok: true, verb: body.verb, changes: [] }, 0);
      },
      { from: 'new' },
    );
    const tokens = new TokensStore();
    for (const { record } of [OPERATOR, VIEWER]) tokens.take(put(`token.${record.id}`, record));
    fleet = new FleetStore();
    proposals = new SiteProposals(tokens, new SendCommand(bus, outcomes, new AskHub(bus)), fleet);
  });
  afterEach(async () => await bus.close());

  const placedAt = (...shares: { site: string; until?: string }[]) =>
    fleet.takePlacement(
      put('shop.web', { shares: shares.map((s) => ({ ...s, replicas: 1 })), costPerMonth: 0 }),
    );

  async function propose(
    change: Partial<ProposalRequest> = {},
    { operation = STOP, id = 'request-1', token = OPERATOR.token, madeMs = NOW, site = 's1' } = {},
  ): Promise<ProposalAnswer> {
    const at = new Date(madeMs).toISOString();
    const request = signSiteRequest(token, { id, site, at, body: JSON.stringify(operation) });
    const body = { site, request, after: [], unknown: [], bases: { 'shop.web': 3 }, ...change };
    return await proposals.handle({ json: () => body } as Message);
  }

  it('becomes a command of whoever signed it, over the generation that the site knew', async () => {
    placedAt({ site: 's1' });
    expect(await propose()).toMatchObject({ state: 'decided', outcome: { ok: true } });
    expect(commands).toMatchObject([
      {
        actor: { subject: 'ann at s1', role: 'operator' },
        body: { verb: 'workload.stop', decided: { bases: { 'shop.web': 3 } } },
      },
    ]);
  });

  it('stays of that site alone when the workload runs at other sites too', async () => {
    placedAt({ site: 's1' }, { site: 's2' });
    expect(await propose()).toMatchObject({ state: 'decided', outcome: { ok: true }, alone: true });
    expect(commands).toEqual([]);
    expect(await propose({}, { token: VIEWER.token, id: 'request-2' })).toMatchObject({
      outcome: { ok: false, code: 'forbidden' },
    });
    // What is about to leave the other site runs here alone.
    placedAt({ site: 's1' }, { site: 's2', until: 'replaced' });
    await propose();
    expect(commands).toHaveLength(1);
  });

  it('is made once, under an id that no other site and no person at the hub can have', async () => {
    await propose();
    await propose();
    await propose({}, { site: 's2' });
    const ids = commands.map((c) => c.requestId);
    expect(new Set(ids).size).toBe(2);
    expect(ids.every((id) => /^at-[0-9a-f]{16}-[0-9a-z]{7}-request-1$/.test(id))).toBe(true);
  });

  it('is not made when somebody else signed it, or when it is a week old', async () => {
    const answer = await propose({ site: 's1' }, { site: 's2' });
    expect(answer).toMatchObject({ outcome: { ok: false, code: 'unauthorized' } });
    const old = await propose({}, { madeMs: NOW - (LIMITS.proposalDays * 24 + 1) * HOUR_MS });
    expect(old).toMatchObject({
      outcome: { ok: false, title: expect.stringMatching(/too long ago: after 7 days .*limit proposalDays/) },
    });
    expect(commands).toEqual([]);
  });

  it('is a dataset that it has a copy of: a command of the site, the same for the same and another for another', async () => {
    const say = async (ttlMs: number, spec: object = { type: 'keyvalue', ttlMs }) => {
      const declared = { rest: JSON.stringify({ labels: {}, spec }), warrant: 'w'.repeat(43) };
      const dataset = { project: 'shop', name: 'cart', incarnation: 2, generation: 3, declared };
      return await proposals.handle({ json: () => ({ site: 's1', dataset }) } as Message);
    };
    for (const ttlMs of [5_000, 5_000, 6_000])
      expect(await say(ttlMs)).toMatchObject({ state: 'decided', outcome: { ok: true } });
    expect(commands).toMatchObject(
      [5_000, 6_000].map((ttlMs) => ({
        actor: { subject: 'site s1', role: 'operator' },
        body: { verb: 'dataset.recover', incarnation: 2, generation: 3, document: { spec: { ttlMs } } },
      })),
    );
    expect(await say(0, { type: 'none' })).toMatchObject({ outcome: { ok: false, code: 'invalid' } });
  });
});
