import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { SITE, type LogItem } from '@skerry/contracts';
import { spanOf } from '@skerry/domain';
import type { LeafAttacker } from '../bus/leaf-attacker.js';
import { eventually } from './cloud-under-test.js';
import { untilRefused } from './refusals.js';
import type { SiteLab } from './site-lab.js';

/** What these cases need of the cloud that they share with others. */
export interface LogsUnderTest {
  client: SkerryClient;
  lab: Pick<SiteLab, 'cut' | 'heal'>;
  kill: (name: string) => void;
  /** As a replica of a site sees `/v1/data/` of its agent, also when the site is cut off. */
  call: (site: string, path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>;
  skerry: (...args: string[]) => Promise<{ code: number | null; stdout: string; stderr: string }>;
  thiefOf: (site: string) => Promise<LeafAttacker>;
}

const READ_MS = 10_000;
const KILLED = 60;
const WRITTEN = 160;

/** Logs of all three flows, one of which may not be at site `far`. */
const LOGS = [
  log('heat', { flow: 'collect', edge: { keep: 'one-in', n: 10 } }),
  log('news', { flow: 'broadcast' }),
  log('talk', { flow: 'mesh' }),
  log('short', { flow: 'mesh' }, { limits: { bytes: 65_536 } }),
  log('law-log', { flow: 'mesh' }, { residency: { stay: ['eu'] } }),
];

/** Registers the cases, in their order. */
export function logsSuite(shared: () => LogsUnderTest): void {
  it('a log of the edge is collected by its rule, one of the centre comes to every site, and a mesh has all everywhere', async () => {
    const { client, skerry } = shared();
    await client.apply({ documents: LOGS });
    for (const site of ['one', 'two', 'far']) await until(site, 'talk', []);
    await until('one', 'heat', []);
    for (let n = 0; n < 20; n += 1) await append('one', 'heat', `${n}`);
    await centre('heat', ['0', '10']);
    const said = await skerry('data', 'append', 'news', 'to everyone', '--json');
    expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('"appended":1') });
    for (const site of ['one', 'two', 'far']) await until(site, 'news', ['to everyone']);
    await append('far', 'talk', 'from far');
    for (const site of ['one', 'two', 'far']) await until(site, 'talk', ['from far']);
    expect((await call('one', 'news', { method: 'POST', body: 'no' })).status).toBe(409);
    const tail = await skerry('data', 'tail', 'talk', '--site', 'far');
    expect(tail).toMatchObject({ code: 0, stdout: expect.stringMatching(/ far\tfrom far\n/) });
    expect((await skerry('data', 'ls', 'talk')).stderr).toContain('skerry data tail test/talk');
    expect((await skerry('data', 'where', 'law-log')).stdout).toMatch(/one[^]*two[^]*NOT AT[^]*far/);
  });

  it('what is written on both sides of a cut, with agent and replicator killed, comes once, all of it, in its order', async () => {
    const { lab, kill } = shared();
    lab.cut('two');
    const both = await Promise.all([
      appendMany('one', WRITTEN, (n) => n === KILLED && kill('replicator')),
      appendMany('two', WRITTEN, (n) => n === KILLED && kill('agent-two')),
    ]);
    lab.heal('two');
    const [one, two] = both;
    expect(Math.min(one.length, two.length)).toBeGreaterThan(WRITTEN / 2);
    for (const read of [async () => await readCentre('talk'), async () => await readAt('far', 'talk')]) {
      const items = await eventually(
        async () => {
          const all = await read();
          return holds(all, one) && holds(all, two) ? all : undefined;
        },
        { withinMs: READ_MS * 2, what: 'everything that was acknowledged' },
      );
      for (const site of ['one', 'two']) {
        const numbers = items.flatMap((i) =>
          'gap' in i || !i.origin.startsWith(`${site}.`) ? [] : [i.number],
        );
        expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => i + 1));
      }
    }
  }, 60_000);

  it('a site that comes back after its backlog was trimmed is told of the gap, and has what is kept', async () => {
    const { lab, kill } = shared();
    await append('one', 'short', 'before');
    await until('two', 'short', ['before']);
    lab.cut('two');
    // Nothing of what is said meanwhile waits on a connection.
    kill('leaf-two');
    for (let n = 0; n < 40; n += 1) await append('one', 'short', `${n} ${'x'.repeat(8_000)}`);
    // What the hub has had before it is trimmed would come to a site that is back earlier.
    await eventually(async () => ((await firstOf('short')) > 20 ? true : undefined), {
      withinMs: READ_MS,
      what: 'the hub keeps no more than it may',
    });
    lab.heal('two');
    const spans = await eventually(
      async () => {
        // What two had before may have made room for what came.
        const all = (await readAt('two', 'short')).map(spanOf).filter(({ to }) => to > 1);
        return all.at(-1)?.to === 41 ? all : undefined;
      },
      // Its server begins anew, dials, and is heard.
      { withinMs: READ_MS * 2, what: 'the newest entry at two' },
    );
    const [gap, ...rest] = spans.map(({ from, to }) => ({ from, to }));
    expect(gap).toEqual({ from: 2, to: 41 - rest.length });
    expect(rest).toEqual(rest.map((_, i) => ({ from: 42 - rest.length + i, to: 42 - rest.length + i })));
  }, 60_000);

  it('nothing of a log leaves for a site outside of the rule, whatever it asks with all that it has', async () => {
    await append('one', 'law-log', 'never-abroad');
    await until('two', 'law-log', ['never-abroad']);
    const thief = await shared().thiefOf('far');
    try {
      for (const subject of ['>', 'dl.>', 'log.>', 'rpc.>', '$JS.>', '_INBOX.>']) thief.subscribe(subject);
      const law = { project: 'test', name: 'law-log', incarnation: 1 };
      const store = '00000000000000ff';
      const forged = { number: 1, at: Date.now(), value: 'forged' };
      const asks: [string, object][] = [
        [SITE.entryPull, { ...law, after: 0 }],
        [SITE.entries, { ...law, store, from: 1, upTo: 1, entries: [forged] }],
        [SITE.logs, { store, held: [] }],
        [
          'log.test.law-log.one.00000000000000ff',
          {
            kind: 'Entries',
            ...law,
            origin: `one.${store}`,
            from: 1,
            upTo: 1,
            entries: [forged],
            totalBytes: 1,
          },
        ],
        ['$JS.API.STREAM.MSG.GET.LOGS', { last_by_subj: 'log.test.law-log.>' }],
        [
          'skerry.rpc.replicator.log',
          { id: 'x', operation: { verb: 'tail', project: 'test', name: 'law-log' } },
        ],
      ];
      for (const [at, [subject, body]] of asks.entries())
        thief.publish(subject, JSON.stringify(body), `_INBOX.thief.${at}`);
      await thief.wait(/_INBOX\.thief\.0[^]*this site gets no entries of it/);
      await thief.wait(/_INBOX\.thief\.1[^]*this site does not have this log/);
      await append('one', 'law-log', 'never-abroad either');
      await append('one', 'talk', 'everyone-may-hear');
      await thief.wait(/everyone-may-hear/);
      expect(thief.text()).not.toContain('never-abroad');
      expect(thief.text()).not.toContain('"law-log"');
    } finally {
      thief.close();
    }
    await until('two', 'law-log', ['never-abroad', 'never-abroad either']);
    expect(JSON.stringify(await readCentre('law-log'))).not.toContain('forged');
    expect((await call('far', 'law-log')).status).toBe(404);
    const why = /^(?:residency|copies): /;
    await untilRefused(shared().client, 'law-log', [
      { what: 'read', by: 'site far', why },
      { what: 'write', by: 'site far', why },
      { what: 'read', by: 'workload test/', why: /^no log test\/law-log at far/ },
    ]);
  }, 30_000);

  async function call(site: string, path: string, init?: RequestInit) {
    return await shared().call(site, `../logs/${path}`, init);
  }

  /** Number of the oldest entry that the centre has. */
  async function firstOf(name: string): Promise<number> {
    const [first] = await readCentre(name);
    return first === undefined ? 0 : spanOf(first).from;
  }

  async function append(site: string, name: string, value: string): Promise<void> {
    expect(await call(site, name, { method: 'POST', body: value })).toMatchObject({ status: 200 });
  }

  /** What was acknowledged. What was not may be there too: nothing is tried again. */
  async function appendMany(site: string, count: number, before: (n: number) => unknown): Promise<string[]> {
    const done: string[] = [];
    for (let n = 0; n < count; n += 1) {
      before(n);
      const value = `${site}-${n}`;
      const { status } = await call(site, 'talk', { method: 'POST', body: value }).catch(() => ({
        status: 0,
      }));
      if (status === 200) done.push(value);
      else await new Promise((go) => setTimeout(go, 50));
    }
    return done;
  }

  async function readAt(site: string, name: string): Promise<LogItem[]> {
    const { body } = await call(site, `${name}?limit=1000`);
    return itemsOf(body);
  }

  async function readCentre(name: string): Promise<LogItem[]> {
    return itemsOf(
      await shared().client.askLog({ verb: 'tail', project: 'test', name, limit: 1_000, waitMs: 0 }),
    );
  }

  async function until(site: string, name: string, values: readonly string[]): Promise<void> {
    await eventually(async () => (holds(await readAt(site, name), values) ? true : undefined), {
      withinMs: READ_MS,
      what: `${values.join(', ')} in ${name} at ${site}`,
    });
  }

  async function centre(name: string, values: readonly string[]): Promise<void> {
    const items = await eventually(
      async () => {
        const all = await readCentre(name);
        return all.length >= values.length ? all : undefined;
      },
      { withinMs: READ_MS, what: `${values.join(', ')} of ${name} at the centre` },
    );
    expect(items.map((item) => ('gap' in item ? 'a gap' : item.value))).toEqual(values);
  }
}

function log(name: string, spec: object, more: object = {}) {
  return {
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name, project: 'test' },
    spec: { type: 'log', log: spec, ...more },
  };
}

function itemsOf(answer: unknown): LogItem[] {
  if (typeof answer === 'object' && answer !== null && 'items' in answer && Array.isArray(answer.items))
    return answer.items;
  throw new Error(`no entries: ${JSON.stringify(answer)}`);
}

function holds(items: readonly LogItem[], values: readonly string[]): boolean {
  const there = new Set(items.flatMap((item) => ('gap' in item ? [] : [item.value])));
  return values.every((value) => there.has(value));
}
