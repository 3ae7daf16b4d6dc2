import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connectBus } from '@skerry/bus';
import { journalBatchSchema, SITE, STREAMS, type JournalEntry } from '@skerry/contracts';
import { BreakableCloud } from './failover-cloud.js';
import type { PartContext } from './failover-parts.js';
import { percentile } from './report.js';

const EVENTS = 5_000;
const CUT_MS = 60_000;
const CAUGHT_UP_MS = 60_000;
/** Between two sites' returns: each catches up alone. */
const APART_MS = 5_000;
const IN_FLIGHT = 500;

/** `rejoin.catch_up_*`: a site is cut off silently for a minute, in which 5,000 events happen, until the hub has the last of them. */
export async function catchUp({ report, sizes, say }: PartContext): Promise<void> {
  const sites = Array.from({ length: Math.min(sizes.sites, 12) }, (_, i) => `s${i + 1}`);
  const cloud = await BreakableCloud.start(sites);
  const arrived = new Map<string, number>();
  const following = await cloud.under.admin.follow(
    STREAMS.SITELOG.name,
    (m) => {
      const parsed = journalBatchSchema.safeParse(m.json());
      for (const { text = '' } of parsed.success ? parsed.data.entries : [])
        arrived.set(text, (arrived.get(text) ?? 0) + 1);
    },
    { from: 'new' },
  );
  try {
    const took: number[] = [];
    const runs = sizes.catchUpRuns;
    for (let round = 0; took.length < runs; round += 1) {
      const batch = sites.slice(0, runs - took.length);
      const away = batch.map(async (site, i) => {
        await pause(i * APART_MS);
        const mark = `bench ${site} ${round}`;
        cloud.lab.cut(site);
        const cutAt = performance.now();
        await happen(cloud, site, mark);
        await pause(Math.max(0, CUT_MS - (performance.now() - cutAt)));
        cloud.lab.heal(site);
        const healedAt = performance.now();
        await until(
          () => (arrived.get(mark) ?? 0) >= EVENTS,
          () => `${mark}: ${arrived.get(mark) ?? 0} came`,
        );
        const tookMs = performance.now() - healedAt;
        say(`${site} caught up after ${Math.round(tookMs)} ms`);
        return tookMs;
      });
      took.push(...(await Promise.all(away)));
      await cloud.ready(sites);
    }
    report.add('rejoin.catch_up_ms_p50', percentile(took, 0.5), 'ms');
    report.add('rejoin.catch_up_ms_p99', percentile(took, 0.99), 'ms');
    report.add('rejoin.catch_up_ms_max', Math.max(...took), 'ms');
  } finally {
    await following.drain();
    await cloud.end();
  }
}

/** Puts events into the journal of a site that is cut off, as its agent does. */
async function happen(cloud: BreakableCloud, site: string, mark: string): Promise<void> {
  const local = cloud.under.cloud;
  const port = local.file.sites.find((s) => s.description.name === site)?.port ?? 0;
  const bus = await connectBus({
    servers: [cloud.lab.deskAddress(site, port)],
    name: 'bench',
    nkeySeedFile: join(local.paths.site(site), 'agent.seed'),
    onAlarm: () => undefined,
  });
  try {
    for (let done = 0; done < EVENTS; done += IN_FLIGHT) {
      const some = Array.from({ length: Math.min(IN_FLIGHT, EVENTS - done) }, () => entry(site, mark));
      await Promise.all(some.map((body) => bus.publish(SITE.journal('event'), body)));
    }
  } finally {
    await bus.close();
  }
}

function entry(site: string, text: string): JournalEntry {
  return {
    kind: 'JournalEntry',
    id: randomBytes(16).toString('hex'),
    site,
    node: `${site}-1`,
    at: new Date().toISOString(),
    class: 'event',
    what: 'replicas',
    text,
  };
}

async function until(holds: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + CAUGHT_UP_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${CAUGHT_UP_MS} ms: ${what()}`);
    await pause(10);
  }
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
