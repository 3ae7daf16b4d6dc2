import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deadLetterSubject, HEADERS } from '@skerry/contracts';
import { until } from '../service/plain-server.js';
import type { ApiCloud } from './api-cloud.js';
import { committedIn, expectWell, startWithApps } from './cli-under-test.js';
import { statusOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await startWithApps();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

const committed = (name: string) => committedIn(cloud, name);

describe('changing', () => {
  it('scales, stops, starts and removes', async () => {
    await cloud.client().apply({ sources: [{ name: 'c.yaml', text: yamlOf('changed') }] });
    cloud.standIns.put(statusOf('changed'));
    expectWell(await cloud.skerry(['scale', 'changed', '4']));
    expect((await committed('changed'))?.spec.placement.replicas).toBe(4);
    expectWell(await cloud.skerry(['stop', 'changed']));
    expect((await committed('changed'))?.stopped).toBe(true);
    expectWell(await cloud.skerry(['start', 'shop/changed']));
    expectWell(await cloud.skerry(['rm', 'shop/changed']));
    expect((await committed('changed'))?.removed).toBe(true);
    expectWell(await cloud.skerry(['site', 'cordon', 'us-east']));
    expectWell(await cloud.skerry(['site', 'uncordon', 'us-east']));
  });

  it('empties sites and nodes, and takes that back', async () => {
    const ask = async (...args: string[]) => {
      const ran = await cloud.skerry(args);
      expectWell(ran);
      return ran.out;
    };
    expect(await ask('site', 'drain', 'us-east', '--deadline', '2h')).toContain('at us-east');
    expect(await ask('site', 'show', 'us-east')).toMatch(/draining/);
    expect(await ask('site', 'evacuate', 'us-east', '--deadline', '90s')).toContain(
      'skerry site undo us-east',
    );
    expect(await ask('site', 'undo', 'us-east')).toMatch(/us-east stays/);
    expect(await ask('site', 'undo', 'us-east')).toMatch(/nothing is under way/);
    const none = await cloud.skerry(['node', 'drain', 'us-east/n9']);
    expect({ code: none.code, err: none.err }).toMatchObject({
      code: 3,
      err: expect.stringMatching(/no node n9/),
    });
  });

  it.each([
    [['scale', 'shop/web', 'many'], 2, /whole number/],
    [['scale', 'shop/web', '-3'], 2, /unknown option|whole number/],
    [['scale', 'shop/web', '99999999999999999999'], 2, /whole number/],
    [['scale', 'shop/web', '20000'], 1, /replicas/],
    [['stop', 'nowhere'], 3, /no workload nowhere/],
    [['rm'], 2, /missing required argument/],
    [['dlq', 'show', 'x'], 2, /no id of a dead letter/],
    [['dlq', 'drop', '4711'], 3, /no dead letter 4711/],
    [['dlq', 'retry', '-1'], 2, /./],
    [['site', 'rm', 'atlantis'], 3, /no site atlantis/],
    [['site', 'drain', 'eu-de', '--deadline', '0s'], 2, /a time from 1s to 30d/],
    [['site', 'drain', 'eu-de', '--wait', 'long'], 2, /whole number/],
    [['site', 'undo', 'atlantis'], 3, /no site atlantis/],
    [['node', 'drain', 'eu-de'], 2, /SITE\/NODE/],
    [['node', 'rm', 'a/b/c'], 2, /SITE\/NODE/],
    [['site', 'add', 'Bad Name', '--lat', '1', '--lon', '1'], 2, /lower-case/],
    [['site', 'add', 'x'], 2, /location.lat: missing/],
    [['site', 'add', 'x', '--lat', '91', '--lon', '0'], 2, /degrees from -90 to 90/],
    [['site', 'add', 'x', '--lat', '-9.5', '--lon', '-0.1', '--label', 'novalue'], 2, /key=value/],
    [
      ['site', 'add', 'x', '--lat', '0', '--lon', '0', '--address', '203.0.113.9'],
      1,
      /EADDRNOTAVAIL[\s\S]*no address of the machine/,
    ],
    [['site', 'add', 'x', '--lat', '0', '--lon', '0', '--address', 'a b'], 1, /host name or IP address/],
    [['site', 'add', 'x', '--lat', '0', '--lon', '0'], 1, /--address/],
    [['site', 'add', 'eu-de', '--lat', '0', '--lon', '0', '--address', '127.0.0.1'], 1, /name-used|conflict/],
    [['quota', 'set', 'shop'], 2, /no limit is given/],
    [['quota', 'set', 'shop', '--replicas', '1.5'], 2, /whole number/],
    [['quota', 'set', 'shop', '--budget-per-month', '-1'], 2, /./],
    [['quota', 'set', 'Bad Name', '--gpus', '1'], 2, /lower-case/],
    [['quota', 'rm', 'atlantis'], 3, /has no quota/],
    [['frobnicate'], 2, /unknown command/],
    [['sitting'], 2, /unknown command/],
    [['status', 'extra'], 2, /too many arguments/],
  ])('refuses %j with exit code %i', async (args, code, message) => {
    const ran = await cloud.skerry(args);
    expect(ran.err).toMatch(message);
    expect(ran.code).toBe(code);
  });

  it('says to a program what went wrong as JSON too', async () => {
    const ran = await cloud.skerry(['get', 'nowhere', '--json']);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { code: 'notFound', title: 'no workload nowhere' } });
    const refused = await cloud.skerry(['scale', 'shop/web', '20000', '--json']);
    expect(JSON.parse(refused.err)).toMatchObject({
      error: { code: 'invalid', issues: [{ path: 'replicas' }] },
    });
  });
});

describe('quotas', () => {
  it('are set, shown with what is used, and removed, and admission goes by them', async () => {
    const set = await cloud.skerry(['quota', 'set', 'shop', '--replicas', '1', '--budget-per-month', '12.5']);
    expectWell(set);
    expect(set.out).toContain('quota of shop set, generation 1');
    expect(set.out).toMatch(/replicas: \d+ in use, 1 allowed; what runs stays/);
    const listed = await cloud.skerry(['quota', 'ls', '--json']);
    expect(JSON.parse(listed.out)).toContainEqual(
      expect.objectContaining({ project: 'shop', limits: { replicas: 1, budgetPerMonth: 12.5 } }),
    );
    expect(await cloud.skerry(['scale', 'shop/web', '9'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('quota.shop.replicas'),
    });
    expectWell(await cloud.skerry(['quota', 'ls']));
    expectWell(await cloud.skerry(['quota', 'rm', 'shop']));
    const again = async () => (await cloud.skerry(['scale', 'shop/web', '2'])).code === 0;
    await until(again, 'nothing limits it');
    expect((await cloud.skerry(['quota', 'rm', 'shop'])).code).toBe(3);
    const asked = await cloud.skerry(['quota', 'set', 'shop', '--gpus', '1'], { role: 'operator' });
    expect(asked).toMatchObject({ code: 1, err: expect.stringContaining('forbidden') });
  });

  it.each([
    ['PUT', 'shop', '{}', 'at least one limit'],
    ['PUT', 'shop', '{"replicas":-1}', 'replicas'],
    ['PUT', 'shop', '{"replicas":1,"pods":1}', 'pods'],
    ['PUT', 'shop', '{"budgetPerMonth":1e13}', 'budgetPerMonth'],
    ['PUT', 'Not%20a%20name', '{"replicas":1}', 'lower-case'],
  ])('refuse %s of %s %s', async (method, project, body, problem) => {
    const answer = await cloud.fetch(`/v1/quotas/${project}`, { method, body });
    expect(answer.status).toBe(422);
    expect(await answer.text()).toContain(problem);
  });
});

describe('dead letters', () => {
  it('are listed, shown and dropped', async () => {
    const headers = {
      [HEADERS.deadReason]: 'cannot be read',
      [HEADERS.deadSubject]: 'skerry.cmd.workload.apply._._',
      [HEADERS.deadStream]: 'CMD',
      [HEADERS.deadApp]: 'policy',
      [HEADERS.deadConsumer]: 'policy',
      [HEADERS.deadSequence]: '1',
      [HEADERS.deadDeliveries]: '1',
    };
    const { sequence } = await cloud.bus.publish(
      deadLetterSubject('policy', 'CMD'),
      { not: 'a command' },
      { headers },
    );
    const listed = await cloud.skerry(['dlq', 'ls']);
    expectWell(listed);
    expect(listed.out).toMatch(new RegExp(`${sequence}\\s+policy[^\\n]+cannot be read`));
    expect((await cloud.skerry(['dlq', 'show', String(sequence)])).out).toContain('{"not":"a command"}');
    const retried = await cloud.skerry(['dlq', 'retry', String(sequence)]);
    expect(retried.code).toBe(1);
    expect(retried.err).toContain('was not handled');
    expectWell(await cloud.skerry(['dlq', 'drop', String(sequence)]));
    expect((await cloud.skerry(['dlq', 'ls'])).out).toContain('no dead letters');
  });
});

describe('doctor', () => {
  it('names what is not well and what to do, and exits 1', async () => {
    const ran = await cloud.skerry(['doctor']);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/ok\s+app policy/);
    expect(ran.out).toMatch(/bad\s+app scheduler\s+does not answer/);
    expect(ran.out).toMatch(/site eu-de: unknown: no heartbeat heard; is its agent running/);
    expect(ran.out).toContain('single points of failure');
  });
});
