import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiCloud } from './api-cloud.js';
import { committedIn, expectWell, startWithApps } from './cli-under-test.js';
import { datasetYamlOf, readerYamlOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await startWithApps();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

const committed = (name: string) => committedIn(cloud, name);

/** The id that the stand-in of the scheduler gives its plans. */
const ID = 'plan-0123456789abcdef';

describe('plan', () => {
  it('exits 1 for changes, 0 for nothing to do, 2 for what cannot be; and commits nothing', async () => {
    const path = await cloud.file('plan.yaml', yamlOf('planned'));
    const ran = await cloud.skerry(['plan', '-f', path]);
    expect({ code: ran.code, err: ran.err }).toEqual({ code: 1, err: '' });
    expect(ran.out).toContain('+ shop/planned: 1 of 1 replicas placed');
    expect(ran.out).toMatch(/eu-de\s+0\s+1\s+nearest to all users\s+12 ms\s+3\.00/);
    expect(ran.out).toContain('  replicas 0 → 1, a month 0.00 → 3.00');
    expect(ran.out).toContain(`plan ${ID}: nothing was committed`);
    expect(ran.out).toMatch(new RegExp(`next: skerry apply --plan ${ID}\n$`));
    expect(await committed('planned')).toBeUndefined();
    const same = await cloud.file('same.yaml', yamlOf('web'));
    expect((await cloud.skerry(['plan', '-f', same])).code).toBe(0);
    const bad = await cloud.file('bad.yaml', yamlOf('planned', -1));
    expect((await cloud.skerry(['plan', '-f', bad])).code).toBe(2);
  });

  it('takes datasets and the workloads that use them in one folder, and datasets alone', async () => {
    const both = await cloud.file(
      'both.yaml',
      `${readerYamlOf('reader', 'maps')}---\n${datasetYamlOf('maps')}`,
    );
    const ran = await cloud.skerry(['plan', '-f', both]);
    expect({ code: ran.code, err: ran.err }).toEqual({ code: 1, err: '' });
    expect(ran.out).toContain('+ dataset shop/maps created: no residency rule; copies everywhere');
    expect(ran.out).toMatch(/ eu-de +- +copy\s*\n +us-east +- +- +copies: it is not named/);
    expect(ran.out).toContain('+ shop/reader: 1 of 1 replicas placed');
    const applied = await cloud.skerry(['apply', '--plan', ID]);
    expectWell(applied);
    expect(applied.out).toMatch(/next: skerry data where shop\/maps\n/);
    const alone = await cloud.file('maps.yaml', datasetYamlOf('maps'));
    const same = await cloud.skerry(['plan', '-f', alone]);
    expect({ code: same.code, err: same.err }).toEqual({ code: 0, err: '' });
    expect(same.out).toMatch(/= dataset shop\/maps unchanged[^]*\nnothing would change\n/);
    const bad = await cloud.file('bad-maps.yaml', datasetYamlOf('maps', ['conflicts: single-writer']));
    const refused = await cloud.skerry(['plan', '-f', bad]);
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/dataset maps: spec\.home\n +missing/);
  });

  it('says what would be without a site, or with one drained, and leaves it at that', async () => {
    const without = await cloud.skerry(['plan', '--without-site', 'us']);
    expect({ code: without.code, err: without.err }).toEqual({ code: 1, err: '' });
    expect(without.out).toContain('if there were no site us-east:');
    expect(without.out).toContain('next: skerry site show us-east');
    const drained = await cloud.skerry(['plan', '--drain', 'us-east', '--json']);
    expect(drained.code).toBe(1);
    expect(JSON.parse(drained.out)).toMatchObject({ id: ID, scenario: { kind: 'drain', site: 'us-east' } });
    const applied = await cloud.skerry(['apply', '--plan', ID]);
    expect(applied.code).toBe(1);
    expect(applied.err).toContain('preview only');
  });

  it.each([
    [['plan'], 2, /one of -f, --without-site and --drain/],
    [['plan', '-f', 'x.yaml', '--drain', 'us-east'], 2, /one of -f/],
    [['plan', '--without-site', 'atlantis'], 3, /no site atlantis/],
    [['plan', '--without-site', ''], 2, /fits 2 sites/],
    [['rebalance', '--plan', '--max-moves', '101'], 2, /0 to 100 percent/],
    [['rebalance', '--plan', '--max-moves', 'all'], 2, /0 to 100 percent/],
    [['apply', '--plan', '../outcomes'], 2, /no id of a plan/],
    [['apply', '--plan', 'plan-0000000000000000'], 3, /no plan plan-0000000000000000/],
    [['apply', '--plan', ID, '-f', 'x.yaml'], 2, /one of --file and --plan/],
    [['apply', '--plan', ID, '--if-generation', '3'], 2, /--if-generation/],
  ])('refuses %j with exit code %i', async (args, code, message) => {
    const ran = await cloud.skerry(args);
    expect(ran.err).toMatch(message);
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' });
  });
});

describe('apply --plan', () => {
  it('applies what was planned', async () => {
    const path = await cloud.file('agreed.yaml', yamlOf('agreed'));
    expect((await cloud.skerry(['plan', '-f', path])).code).toBe(1);
    const ran = await cloud.skerry(['apply', '--plan', ID]);
    expectWell(ran);
    expect(ran.out).toContain(`plan ${ID} is applied`);
    expect(await committed('agreed')).toBeDefined();
  });

  it('applies nothing when deciding again gives another result, and shows the two beneath each other', async () => {
    const path = await cloud.file('otherwise.yaml', yamlOf('otherwise'));
    expect((await cloud.skerry(['plan', '-f', path])).code).toBe(1);
    cloud.standIns.changed = true;
    const ran = await cloud.skerry(['apply', '--plan', ID]);
    const json = await cloud.skerry(['apply', '--plan', ID, '--json']);
    cloud.standIns.changed = false;
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 1, out: '' });
    expect(ran.err).toMatch(
      /shop\/otherwise: .+\n\s+- planned {2}placed: eu-de 1\n\s+\+ now {6}placed: us-east 1\n/,
    );
    expect(JSON.parse(json.err)).toMatchObject({
      error: { code: 'conflict', issues: [{ path: 'shop/otherwise' }] },
    });
    expect(await committed('otherwise')).toBeUndefined();
  });
});

describe('rebalance', () => {
  it('shows the moves with --plan, and makes them without', async () => {
    const shown = await cloud.skerry(['rebalance', '--plan', '--max-moves', '2.5%']);
    expect({ code: shown.code, err: shown.err }).toEqual({ code: 1, err: '' });
    expect(shown.out).toContain('moves that gain more than they cost, at most 3 replicas:');
    expect(shown.out).toContain(`next: skerry apply --plan ${ID}`);
    for (const args of [['apply', '--plan', ID], ['rebalance']]) {
      const done = await cloud.skerry(args);
      expectWell(done);
      expect(done.out).toContain(`plan ${ID} is applied`);
    }
  });

  it('is not for those who may only look', async () => {
    const ran = await cloud.skerry(['rebalance'], { role: 'viewer' });
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('forbidden');
  });
});
