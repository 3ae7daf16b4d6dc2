import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectBus, type StoredMessage } from '@skerry/bus';
import type { SkerryClient } from '@skerry/client';
import { eventSchema, observedSchema, STREAMS, type Observed, type Site } from '@skerry/contracts';
import { clientOf } from '@skerry/local';
import { z } from 'zod';
import { eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { Flooder, type Flood } from './flooder.js';
import { untilPhase } from './statuses.js';
import { mockService } from './workloads.js';

const CUT_OFF_MS = 3_000;
/** A flood is over by then even if nobody stops it. */
const FLOOD_MS = 10_000;
/**
 * How long a report of the honest site may take while the other floods: without a flood a tenth of a second, mostly less
 * than one second with it; one that is lost when the intake's connection breaks is sent again after two, and until the other
 * is cut off the hub is short of processor time, on a machine with other work all the more.
 */
const DELAY_MS = 15_000;
/** Within this the site is told apart from an honest one. */
const FOUND_OUT_MS = 15_000;
/** Applied while the flood lasts, one after the other. */
const WORKLOADS = 8;

const FLOODS: [string, Flood][] = [
  ['the same report again and again', 'reports'],
  ['reports of ever new workloads', 'keys'],
  ['messages as large as may be', 'bodies'],
  ['heartbeats, pings, digests and last words', 'requests'],
];

describe('a site in the hands of an attacker, who floods', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  const suspended: string[] = [];
  beforeAll(async () => {
    under = await startCloud({
      sites: [plainSite('stolen'), plainSite('honest')],
      // What is cut off is silent and so lost, in each flood anew: as a rule a site that flaps waits longer each time.
      env: { SKERRY_CUT_OFF_MS: String(CUT_OFF_MS), SKERRY_LOSS_WINDOW_MS: '0' },
    });
    client = await clientOf(under.cloud);
    under.admin.listen('skerry.evt.site.suspended.>', (m) => {
      suspended.push(eventSchema.parse(m.json()).subject);
    });
    await client.apply({
      documents: [mockService('bait', { site: 'stolen' }), mockService('calm', { site: 'honest' })],
    });
    for (const name of ['bait', 'calm']) await untilPhase(client, name, ['running']);
  }, 90_000);
  afterAll(() => under.end(), 60_000);

  it.each(FLOODS)(
    'with %s: delays nobody, is cut off, and let in again',
    async (_, what) => {
      const told = suspended.length;
      const flooder = await Flooder.start(under, {
        site: 'stolen',
        what,
        forMs: FLOOD_MS,
        report: (await reportOf(under, 'stolen', 'bait')).report,
        messageIds: await idsUsedBy(under, 'honest'),
      });
      try {
        // Looked for from the beginning: it does not stay away for long.
        const cutOff = eventually(async () => ((await linksOf(under, 'stolen')) === 0 ? true : undefined), {
          withinMs: FOUND_OUT_MS + CUT_OFF_MS,
          what: 'its link is gone',
        });
        const [delays] = await Promise.all([applyAtHonest(client, what), cutOff]);
        expect(Math.max(...delays)).toBeLessThan(DELAY_MS);
        await eventually(() => (suspended.length > told ? true : undefined), {
          withinMs: FOUND_OUT_MS,
          what: 'it is told that it was cut off',
        });
      } finally {
        await flooder.end();
      }
      expect(new Set(suspended)).toEqual(new Set(['stolen']));
      await letInAgain(client);
      await client.apply({ documents: [mockService(`after-${what}`, { site: 'stolen' })] });
      await untilPhase(client, `after-${what}`, ['running']);
    },
    150_000,
  );

  it('has neither lost nor suppressed any report of the other', async () => {
    const names = FLOODS.flatMap(([, what]) => namesFor(what));
    for (const name of names) {
      const { report } = await reportOf(under, 'honest', name);
      expect([name, report.replicas.map((r) => r.phase)]).toEqual([name, ['running']]);
    }
  });

  it('cannot take the message ids that the other will use', async () => {
    const id = 'AAAAAAAAAAAAAAAAAAAAAA';
    for (const site of ['stolen', 'honest']) {
      const bus = await asAgentOf(under, site);
      const { report } = await reportOf(under, site, site === 'stolen' ? 'bait' : 'calm');
      const next = { ...report, name: 'same-id', report: report.report + 1 };
      const answer = await bus.request('up.workload.test.same-id', next, { headers: { 'Nats-Msg-Id': id } });
      expect(answer.json()).toEqual({ ok: true });
      await bus.close();
      expect((await reportOf(under, site, 'same-id')).report.site).toBe(site);
    }
  });
});

const namesFor = (what: Flood) => Array.from({ length: WORKLOADS }, (_, i) => `${what}-${i}`);

/** Applies workloads at the honest site one after the other; how long each took until its report was folded, ms. */
async function applyAtHonest(client: SkerryClient, what: Flood): Promise<number[]> {
  const delays: number[] = [];
  for (const name of namesFor(what)) {
    const began = performance.now();
    await client.apply({ documents: [mockService(name, { site: 'honest' })] });
    await untilPhase(client, name, ['running'], 2 * DELAY_MS);
    delays.push(performance.now() - began);
  }
  return delays;
}

/** Links to the hub that a site's server has. */
async function linksOf(under: CloudUnderTest, site: string): Promise<number> {
  const monitor = under.cloud.file.sites.find((s) => s.description.name === site)?.monitor ?? 0;
  const answer = await fetch(`http://127.0.0.1:${monitor}/leafz`);
  return leafzSchema.parse(await answer.json()).leafnodes;
}

const leafzSchema = z.object({ leafnodes: z.number() });

async function letInAgain(client: SkerryClient): Promise<void> {
  await eventually(
    async () => {
      const view = (await client.sites()).find((s) => s.site.name === 'stolen');
      const site: Site | undefined = view?.site;
      return site?.suspendedUntil === undefined && view?.state?.phase === 'ready' ? true : undefined;
    },
    { withinMs: 60_000, what: 'the site is ready again' },
  );
}

/** The newest report of a workload at a site, as the hub has it. */
async function reportOf(under: CloudUnderTest, site: string, name: string): Promise<{ report: Observed }> {
  const [found] = await stored(under, `observed.${site}.workload.test.${name}`);
  if (found === undefined) throw new Error(`no report of ${name} at ${site}`);
  return { report: observedSchema.parse(found.json()) };
}

/** Every message id of a site's reports, as the site sent it and as the hub keeps it. */
async function idsUsedBy(under: CloudUnderTest, site: string): Promise<string[]> {
  const messages = await stored(under, `observed.${site}.>`);
  const kept = messages.flatMap((m) => m.headers['Nats-Msg-Id'] ?? []);
  return kept.flatMap((id) => [id, id.split('.')[1] ?? id]);
}

async function stored(under: CloudUnderTest, filter: string): Promise<StoredMessage[]> {
  const found: StoredMessage[] = [];
  const following = await under.admin.follow(STREAMS.OBSERVED.name, (m) => void found.push(m), {
    filters: [filter],
  });
  await following.caughtUp;
  await following.drain();
  return found;
}

function asAgentOf(under: CloudUnderTest, site: string) {
  const port = under.cloud.file.sites.find((s) => s.description.name === site)?.port ?? 0;
  return connectBus({
    servers: [`127.0.0.1:${port}`],
    nkeySeedFile: join(under.cloud.paths.site(site), 'agent.seed'),
    name: `attacker at ${site}`,
  });
}
