import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type Ran, runCli } from './api-cloud.js';
import { expectWell } from './cli-under-test.js';

const EXAMPLES = resolve(import.meta.dirname, '../../deploy/examples');
const REGIONS = join(EXAMPLES, 'regions.csv');
const RTT = join(EXAMPLES, 'rtt.csv');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-advise-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function table(name: string, ...lines: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

/** Runs in a folder without any context: no cloud is needed. */
const advise = (sites: string, users: string, ...more: string[]): Promise<Ran> =>
  runCli(['advise', '--sites-from', sites, '--users', users, ...more], { cwd: folder });

const adviceSchema = z.object({
  sites: z.array(z.object({ name: z.string(), userShare: z.number(), latencyMs: z.number() })),
  meanMs: z.number(),
  p95Ms: z.number(),
  costPerMonth: z.number(),
  measuredShare: z.number(),
  curve: z.array(z.object({ count: z.number(), sites: z.array(z.string()), meanMs: z.number() })),
  next: z.object({ adds: z.array(z.string()), gainMs: z.number() }).optional(),
});
async function adviceOf(...args: Parameters<typeof advise>) {
  const ran = await advise(...args, '--json');
  expect(ran.code).toBe(0);
  return adviceSchema.parse(JSON.parse(ran.out));
}

/** Directed round trips as in the file. */
async function measured(): Promise<Map<string, number>> {
  const [, ...lines] = (await readFile(RTT, 'utf8')).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [from = '', to = '', ms = ''] = line.split(',');
      return [`${from} ${to}`, Number(ms)];
    }),
  );
}

describe('advise', () => {
  it('answers without a cloud: the sites, the figures, the curve, what one more would give, the next command', async () => {
    const users = await table(
      'users.csv',
      'city,country,population',
      'Berlin,DE,3600',
      'Tokyo,JP,13900',
      'New York,US,8400',
    );
    const ran = await advise(REGIONS, users, '--max-sites', '2', '--rtt', RTT);
    expectWell(ran);
    expect(ran.out).toMatch(/^open \S+, \S+: the mean user at [\d.]+ ms, 95 of 100 within [\d.]+ ms\n/);
    expect(ran.out).toMatch(/\n2 +[\d.]+ ms +[\d.]+ ms +[\d.]+ ms +.*\(chosen\)\n/);
    expect(ran.out).toMatch(/\na site more, 3 in all: .+ would bring the mean user [\d.]+ ms nearer\n/);
    expect(ran.out).toMatch(/\nnext: skerry advise .+ --max-sites 3\n/);
    const again = await advise(REGIONS, users, '--max-sites', '2', '--rtt', RTT);
    expect(again.out).toBe(ran.out);
  });

  it('finds the best three of twelve regions by the measured round trips, in the mean of both directions', async () => {
    const trips = await measured();
    const [, ...lines] = (await readFile(REGIONS, 'utf8')).trim().split('\n');
    const names = lines.map((line) => line.split(',')[0] ?? '');
    const users = await table(
      'regions-as-users.csv',
      'name,lat,lon,weight',
      ...lines.map((line, i) => {
        const cells = line.split(',');
        return `${cells[0]},${cells[3]},${cells[4]},${i + 1}`;
      }),
    );
    const advice = await adviceOf(REGIONS, users, '--max-sites', '3', '--rtt', RTT);
    // A site needs no measurement to itself: 5 ms for the last mile.
    const between = (a: string, b: string) =>
      a === b ? 5 : ((trips.get(`${a} ${b}`) ?? Number.NaN) + (trips.get(`${b} ${a}`) ?? Number.NaN)) / 2;
    const nearest = (opened: string[]) =>
      names.map((user) => Math.min(...opened.map((site) => between(user, site))));
    const mean = (opened: string[]) =>
      nearest(opened).reduce((sum, ms, i) => sum + ms * (i + 1), 0) /
      ((names.length * (names.length + 1)) / 2);
    const all = names.flatMap((a) => names.flatMap((b) => names.map((c) => [a, b, c])));
    const best = all.reduce((least, opened) => Math.min(least, mean(opened)), Number.POSITIVE_INFINITY);
    expect(advice.meanMs).toBeCloseTo(mean(advice.sites.map(({ name }) => name)), 6);
    expect(advice.meanMs).toBeCloseTo(best, 6);
    const byName = await table('by-name.csv', 'region,weight', ...names.map((name, i) => `${name},${i + 1}`));
    expect(await adviceOf(REGIONS, byName, '--max-sites', '3', '--rtt', RTT)).toEqual(advice);
    expect(advice.measuredShare).toBeCloseTo(1, 9);
    expect(advice.curve.map(({ count }) => count)).toEqual([1, 2, 3]);
    expect(advice.next?.gainMs).toBeGreaterThan(0);
  });

  it('takes the tables of the examples as they are', async () => {
    const ran = await advise(REGIONS, REGIONS, '--max-sites', '4', '--rtt', RTT);
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('each line counts the same');
  });

  it('takes users by country and by coordinates, names without regard to case, quotes and a byte order mark', async () => {
    const users = await table(
      'mixed.csv',
      '\uFEFFCountry,LAT,Longitude,Population',
      'de,,,10',
      '"",-33.9,151.2,"5"',
    );
    const advice = await adviceOf(REGIONS, users, '--max-sites', '2');
    expect(advice.sites.map(({ name }) => name)).toEqual(['au-syd', 'eu-de']);
    expect(advice.sites[0]?.userShare).toBeCloseTo(1 / 3, 6);
  });

  it('weighs latency against cost, and opens fewer sites than it may when that is better', async () => {
    const sites = await table(
      'priced.csv',
      'name,lat,lon,price_per_month',
      'near,52.5,13.4,900',
      'far,50.1,8.7,100',
    );
    const users = await table('one.csv', 'lat,lon,weight', '52.5,13.4,1');
    const cheap = await adviceOf(sites, users, '--max-sites', '2');
    expect(cheap).toMatchObject({ sites: [{ name: 'far' }], costPerMonth: 100 });
    const near = await adviceOf(sites, users, '--max-sites', '2', '--latency-weight', '1000');
    expect(near).toMatchObject({ sites: [{ name: 'near' }], costPerMonth: 900 });
    const ran = await advise(sites, users, '--max-sites', '2');
    expect(ran.out).toContain('--latency-weight');
  });

  it('keeps to the law', async () => {
    const users = await table('tokyo.csv', 'city,weight', 'Tokyo,1');
    const advice = await adviceOf(REGIONS, users, '--max-sites', '1', '--allow', 'eu', '--allow', 'uk');
    expect(['eu-de', 'eu-es', 'eu-gb']).toContain(advice.sites[0]?.name);
    const none = await advise(REGIONS, users, '--max-sites', '1', '--allow', 'ch');
    expect({ code: none.code, out: none.out }).toEqual({ code: 1, out: '' });
    expect(none.err).toContain('us-east: residency');
  });
});

describe('advise, given tables that are not right,', () => {
  const good = () => table('good.csv', 'city,weight', 'Berlin,1');

  it('names every mistake of all tables by file and line, at once', async () => {
    const sites = await table('sites.csv', 'id,lat,lon,price', 'a,91,0,-4', 'a,NaN,3', 'b,1,Infinity,1e999');
    const users = await table(
      'people.csv',
      'city,weight',
      'Frankfrut,1',
      'Berlin,-1',
      'Paris,',
      ',3',
      'Berlin,2',
    );
    const rtt = await table('rtt.csv', 'from,to,rtt_ms', 'a,Berlin,-3', 'a,Berlin,5', 'a,,4');
    const ran = await advise(sites, users, '--max-sites', '3', '--rtt', rtt);
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 1, out: '' });
    for (const [place, problem] of [
      ['sites.csv:2 lat', '"91"; allowed: a number from -90 to 90'],
      ['sites.csv:2 pricePerMonth', '"-4"'],
      ['sites.csv:3', '3 cells'],
      ['sites.csv:3 lat', '"NaN"'],
      ['sites.csv:3 name', 'used before, on line 2'],
      ['sites.csv:4 lon', '"Infinity"'],
      ['sites.csv:4 pricePerMonth', '"1e999"'],
      ['people.csv:2 city', 'unknown city: "Frankfrut"'],
      ['people.csv:3 weight', '"-1"'],
      ['people.csv:4 weight', 'missing'],
      ['people.csv:5', 'names no place'],
      ['people.csv:6', 'used before, on line 3'],
      ['rtt.csv:2 rttMs', '"-3"'],
      ['rtt.csv:4 to', 'missing'],
    ] as const) {
      expect(ran.err).toContain(`\n  ${place}\n`);
      expect(ran.err).toContain(problem);
    }
    const json = await advise(sites, users, '--max-sites', '3', '--json');
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'invalid', issues: expect.any(Array) } });
  });

  it.each([
    ['an empty file', [''], /is empty/],
    ['a head alone', ['id,lat,lon'], /has a head and no line/],
    ['no names', ['lat,lon', '1,2'], /no column name/],
    ['a quote without end', ['id,lat,lon', '"a,1,2'], /no comma-separated values/],
    ['a name that steers the terminal', ['id,lat,lon', '\u001b]0;x\u0007,1,2'], /control character/],
    ['a site that is a whole country', ['id,country', 'a,DE'], /not a whole country/],
    [
      'a jurisdiction that is none',
      ['id,lat,lon,jurisdictions', 'a,1,2,EU!'],
      /jurisdictions[\s\S]*a jurisdiction such as/,
    ],
    ['half a location', ['id,lat,lon', 'a,1,'], /given together/],
    ['a line without end', ['id,lat,lon', `a,1,${'2'.repeat(20_000)}`], /no comma-separated values/],
    [
      'too many lines',
      ['id,lat,lon', ...Array.from({ length: 2_001 }, (_, i) => `s${i},1,2`)],
      /limit adviseSites/,
    ],
  ])('refuses %s', async (_what, lines, message) => {
    const ran = await advise(await table('case.csv', ...lines), await good(), '--max-sites', '1');
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 1, out: '' });
    expect(ran.err).toMatch(message);
    expect(ran.err).not.toContain('\u001b');
  });

  it('refuses a file of 100 MB by its limit, unread, one that is not there, and one that is no text', async () => {
    const large = await table('large.csv', 'id,lat,lon');
    await truncate(large, 100_000_000);
    const ran = await advise(REGIONS, large, '--max-sites', '1');
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('limit adviseFileBytes');
    expect((await advise(REGIONS, join(folder, 'nowhere.csv'), '--max-sites', '1')).code).toBe(2);
    expect((await advise(REGIONS, folder, '--max-sites', '1')).code).toBe(2);
    const binary = join(folder, 'binary.csv');
    await writeFile(binary, new Uint8Array([0xff, 0xfe, 0]));
    expect((await advise(REGIONS, binary, '--max-sites', '1')).err).toContain('no UTF-8 text');
  });

  it('refuses users that count nothing, and round trips of other places', async () => {
    const nobody = await table('nobody.csv', 'city,weight', 'Berlin,0');
    expect((await advise(REGIONS, nobody, '--max-sites', '1')).err).toContain('every weight is 0');
    const strange = await table('strange.csv', 'from,to,rtt_ms', 'mars,venus,400000');
    const ran = await advise(REGIONS, await good(), '--max-sites', '1', '--rtt', strange);
    expect(ran.err).toContain('a number from 0 to 60000');
    const elsewhere = await table('elsewhere.csv', 'from,to,rtt_ms', 'mars,venus,4');
    const other = await advise(REGIONS, await good(), '--max-sites', '1', '--rtt', elsewhere);
    expect(other.err).toContain('names no site and no users');
  });

  it.each([
    ['--max-sites', '0'],
    ['--max-sites', '65'],
    ['--max-sites', '-1'],
    ['--max-sites', 'NaN'],
    ['--latency-weight', 'Infinity'],
    ['--price-weight', '-1'],
    ['--cores', 'NaN'],
  ])('refuses %s %s', async (option, value) => {
    const ran = await advise(REGIONS, await good(), '--max-sites', '2', option, value);
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 2, out: '' });
  });
});
