import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HubStandIn } from './hub-stand-in.suite.js';
import { assignment, end, eventually, SiteUnderTest } from './site-under-test.suite.js';

/** Writes a line for each run into a file beside the site's folder. */
const noting = (file: string, more = '') => ({
  command: ['sh', '-c', `echo "$SKERRY_SLOT" >> "${file}"${more}`],
});
const everySecond = { schedule: '* * * * * *', timeZone: 'UTC', overlap: 'skip' };

describe('a cron at a site that is cut off', () => {
  let site: SiteUnderTest;
  let file: string;
  const runs = async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').length - 1;

  beforeEach(async () => {
    site = await SiteUnderTest.make();
    await site.startServer();
    file = join(site.dir, 'runs');
  });
  afterEach(async () => await site.close());

  it('runs at each due time, and says when it ran and when it will', async () => {
    const hub = await HubStandIn.at(site);
    await site.startAgent();
    hub.want(assignment('tick', { type: 'cron', cron: everySecond, run: noting(file) }));
    await eventually('three runs', async () => (await runs()) >= 3);
    const seen = await hub.seen(
      'tick',
      (o) => o.replicas[0]?.phase === 'completed' && o.runs?.last !== undefined,
    );
    const { last = '', next = '' } = seen.runs ?? {};
    expect(Date.parse(last) % 1_000).toBe(0);
    expect(Date.parse(next)).toBeGreaterThan(Date.parse(last));
    await hub.bus.close();
  });

  it('makes up for the last run that was missed while there was no agent, once', async () => {
    const hub = await HubStandIn.at(site);
    const first = await site.startAgent();
    const yearly = { ...everySecond, schedule: '0 0 1 1 *' };
    hub.want(assignment('tick', { type: 'cron', cron: yearly, run: noting(file) }));
    await hub.seen('tick', (o) => o.runs?.next !== undefined);
    await end(first, 'SIGKILL');
    expect(await runs()).toBe(0);
    await backdate(site.dir, 'shop.tick');
    const second = await site.startAgent();
    await hub.seen('tick', (o) => o.replicas[0]?.phase === 'completed');
    await end(second, 'SIGKILL');
    await site.startAgent();
    await hub.seen('tick', (o) => Date.parse(o.reportedAt) > Date.now() - 500 && o.runs?.last !== undefined);
    expect(await runs()).toBe(1);
    await hub.bus.close();
  });

  it('leaves a run out while the last one goes on', async () => {
    const hub = await HubStandIn.at(site);
    await site.startAgent();
    hub.want(assignment('slow', { type: 'cron', cron: everySecond, run: noting(file, '; sleep 100') }));
    const first = await hub.running('slow');
    const later = await hub.seen(
      'slow',
      (o) => Date.parse(o.reportedAt) > Date.parse(first.reportedAt) + 2_000,
    );
    expect(later.replicas.map((r) => r.pid)).toEqual(first.replicas.map((r) => r.pid));
    expect(await runs()).toBe(1);
    await hub.bus.close();
  });
});

/** As if the workload had come to the site three years ago. */
async function backdate(dir: string, key: string): Promise<void> {
  const path = join(dir, 'state', 'desired', `${key}.json`);
  const held: { cronFrom?: number } = JSON.parse(await readFile(path, 'utf8'));
  expect(held.cronFrom).toBeGreaterThan(0);
  await writeFile(path, JSON.stringify({ ...held, cronFrom: Date.now() - 3 * 366 * 86_400_000 }), {
    mode: 0o600,
  });
}
