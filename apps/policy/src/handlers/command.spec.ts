import { beforeEach, describe, expect, it } from '@jest/globals';
import { done, MemoryBus, MemoryServer, type StoredMessage } from '@skerry/bus';
import {
  BUCKETS,
  commandSubject,
  datasetDocumentSchema,
  datasetSchema,
  exampleSite,
  outcomeSchema,
  STREAMS,
  workloadDocumentSchema,
  workloadSchema,
  type Command,
  type CommandBody,
  type CommandOutcome,
} from '@skerry/contracts';
import { Gazetteer } from '@skerry/gazetteer';
import { NKey, type CloudIdentity } from '@skerry/identity';
import { BASE_VARIABLES, JsonLog, parseConfig } from '@skerry/service';
import { POLICY_VARIABLES } from '../config.js';
import { Events } from '../events.js';
import { SiteAccounts } from '../sites/site-accounts.js';
import { DatasetsStore } from '../stores/datasets.store.js';
import { Desk } from '../stores/desk.js';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { Predecessors } from '../stores/predecessors.js';
import { QuotasStore } from '../stores/quotas.store.js';
import { SitesStore } from '../stores/sites.store.js';
import { WorkloadsStore } from '../stores/workloads.store.js';
import { Warrants } from '../warrants.js';
import { CommandHandler } from './command.handler.js';

const OWNED = [BUCKETS.workloads, BUCKETS.datasets, BUCKETS.siteSpecs, BUCKETS.policies, BUCKETS.outcomes];

let bus: MemoryBus;
let handler: CommandHandler;
let outcomes: OutcomesStore;
let logged: string[];
beforeEach(async () => {
  logged = [];
  bus = new MemoryBus(new MemoryServer());
  for (const stream of [STREAMS.CMD, STREAMS.EVT]) await bus.ensureStream(stream);
  for (const bucket of OWNED) await bus.ensureBucket(bucket);
  outcomes = new OutcomesStore(bus);
  handler = handlerOn(bus);
});

/** What one instance is made of, with nobody who tells events by the buckets' streams. */
function handlerOn(at: MemoryBus): CommandHandler {
  const env = { SKERRY_NATS_URL: 'nats://127.0.0.1', SKERRY_IDENTITY_DIR: '/x', SKERRY_SYS_CREDS: '/x' };
  const config = parseConfig({ ...BASE_VARIABLES, ...POLICY_VARIABLES }, env);
  if (!config.ok) throw new Error(JSON.stringify(config.problems));
  const own = { ...config.value, instance: 'one' };
  const identity = keys();
  const warrants = new Warrants(identity);
  const predecessors = new Predecessors(at, new Events(at));
  const sites = new SitesStore(at, predecessors);
  sites.hear({ kind: 'put', key: 'eu', value: exampleSite('eu'), revision: 1, headers: {}, at: 0 });
  const desk = new Desk(
    new WorkloadsStore(at, warrants),
    sites,
    new QuotasStore(at),
    new DatasetsStore(at, own, warrants),
    new Gazetteer(),
  );
  const accounts = new SiteAccounts(own, identity, at);
  return new CommandHandler(
    desk,
    outcomes,
    predecessors,
    accounts,
    new JsonLog('policy', 'one', 'error', (line) => void logged.push(line)),
  );
}

function keys(): CloudIdentity {
  const none = { certPem: '', keyPem: '' };
  return {
    operatorSigning: NKey.create('operator'),
    operatorJwt: '',
    systemAccount: NKey.create('account'),
    systemAccountJwt: '',
    cloudAccount: NKey.create('account'),
    cloudSigning: NKey.create('account'),
    cloudAccountJwt: '',
    serversCa: none,
    sitesCa: none,
  };
}

function applying(mark: string, names = ['web']): CommandBody {
  const documents = names.map((name) =>
    workloadDocumentSchema.parse({
      apiVersion: 'skerry/v1',
      kind: 'Workload',
      metadata: { name, project: 'shop' },
      spec: { run: { command: [mark] } },
    }),
  );
  return { verb: 'workload.apply', documents };
}

async function queued(requestId: string, body: CommandBody): Promise<StoredMessage> {
  const actor = { subject: 'olivia', role: 'operator' as const };
  const sentAt = new Date().toISOString();
  const command: Command = { kind: 'Command', requestId, actor, sentAt, body };
  const { sequence } = await bus.publish(commandSubject(body.verb), command);
  const message = await bus.message(STREAMS.CMD.name, sequence);
  if (!message) throw new Error(`${requestId} is not in the queue`);
  return message;
}

/** As an acknowledgement does. */
async function over({ sequence }: StoredMessage): Promise<void> {
  await bus.deleteMessage(STREAMS.CMD.name, sequence);
}

async function answerTo(requestId: string): Promise<CommandOutcome | undefined> {
  const bucket = bus.bucket(BUCKETS.outcomes, (v) => outcomeSchema.parse(v));
  return (await bucket.get(requestId))?.value;
}

async function generation(): Promise<number | undefined> {
  const bucket = bus.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v));
  return (await bucket.get('shop.web'))?.value.generation;
}

async function told(): Promise<unknown[]> {
  const ids: unknown[] = [];
  const hear = (m: StoredMessage) => {
    const event = m.json();
    ids.push(typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined);
  };
  const following = await bus.follow(STREAMS.EVT.name, hear, { from: 1 });
  await following.caughtUp;
  await following.drain();
  return ids;
}

describe('what is written over', () => {
  it('is told before, whoever else should have told it', async () => {
    for (const mark of ['a', 'b', 'c']) {
      const message = await queued(`request-${mark}`, applying(mark));
      expect(await handler.handle(message)).toEqual(done);
      await over(message);
    }
    expect(await told()).toEqual(['workload.admitted/shop/web/1', 'workload.admitted/shop/web/2']);
  });

  it('waits for the answer to the command that made it', async () => {
    const first = await queued('request-a', applying('a'));
    await handler.handle(first);
    const second = await queued('request-b', applying('b'));
    expect(await handler.handle(second)).toMatchObject({ kind: 'retry' });
    expect(await generation()).toBe(1);
    expect(await answerTo('request-b')).toBeUndefined();

    await over(first);
    expect(await handler.handle(second)).toEqual(done);
    expect(await generation()).toBe(2);
  });

  it('waits some ten seconds, and not for ever', async () => {
    await handler.handle(await queued('request-a', applying('a')));
    const second = await queued('request-b', applying('b'));
    expect(await handler.handle({ ...second, deliveries: 100 })).toEqual(done);
    expect(await generation()).toBe(2);
  });
});

describe('an answer', () => {
  it('waits some ten seconds for what its command wrote to be read in whole, and not for ever', async () => {
    const message = await queued('request-a', applying('a', ['web', 'api']));
    expect(await handler.handle(message)).toEqual(done);
    // The answer got lost, and who reads sees one of the two as it was before.
    await bus.bucket(BUCKETS.outcomes, (v) => outcomeSchema.parse(v)).delete('request-a');
    await bus.bucket(BUCKETS.workloads, (v) => workloadSchema.parse(v)).delete('shop.api');
    expect(await handler.handle({ ...message, deliveries: 99 })).toMatchObject({ kind: 'retry' });
    expect(await answerTo('request-a')).toBeUndefined();
    expect(await handler.handle({ ...message, deliveries: 100 })).toEqual(done);
    expect(await answerTo('request-a')).toMatchObject({ ok: true, changes: [{ name: 'web' }] });
  });

  it('stays as it was given first', async () => {
    const common = { kind: 'Outcome' as const, requestId: 'request-a', verb: 'workload.apply' as const };
    const decidedAt = new Date().toISOString();
    await outcomes.write({ ...common, decidedAt, ok: true, changes: [] }, {});
    const late = {
      ...common,
      decidedAt,
      ok: false as const,
      code: 'conflict' as const,
      title: 'late',
      issues: [],
    };
    await outcomes.write(late, {});
    expect(await answerTo('request-a')).toMatchObject({ ok: true });
  });
});

describe('a dataset that a site has a copy of and a restored hub does not know', () => {
  const document = (spec: object = {}) =>
    datasetDocumentSchema.parse({
      apiVersion: 'skerry/v1',
      kind: 'Dataset',
      metadata: { name: 'cart', project: 'shop' },
      spec: { type: 'keyvalue', ...spec },
    });
  const stored = async () => {
    const bucket = bus.bucket(BUCKETS.datasets, (v) => datasetSchema.parse(v));
    return (await bucket.get('shop.cart'))?.value;
  };
  const decide = async (requestId: string, body: CommandBody) => {
    const message = await queued(requestId, body);
    expect(await handler.handle(message)).toEqual(done);
    await over(message);
    return await answerTo(requestId);
  };
  const recovering = (warrant: string, spec: object = {}): CommandBody => ({
    verb: 'dataset.recover',
    document: document(spec),
    incarnation: 1,
    generation: 1,
    warrant,
  });

  it('comes back by the warrant that it was admitted with; anything else is an alarm', async () => {
    const applied = { verb: 'workload.apply' as const, documents: [], datasets: [document()] };
    expect(await decide('request-a', applied)).toMatchObject({ ok: true });
    const { warrant = '' } = (await stored()) ?? {};
    await bus.bucket(BUCKETS.datasets, (v) => datasetSchema.parse(v)).delete('shop.cart');

    const moved = recovering(warrant, { residency: { deny: ['us'] } });
    expect(await decide('request-b', moved)).toMatchObject({ ok: false, code: 'forbidden' });
    expect(logged).toEqual([expect.stringContaining('alarm: olivia: nothing shows that dataset shop/cart')]);
    expect(await decide('request-c', recovering(warrant))).toMatchObject({ ok: true });
    expect(await stored()).toMatchObject({ generation: 1, incarnation: 1, warrant, recovered: true });
  });
});
