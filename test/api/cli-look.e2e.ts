import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventSubject, makeEvent } from '@skerry/contracts';
import { type ApiCloud, runCli } from './api-cloud.js';
import { expectWell, startWithApps } from './cli-under-test.js';
import { statusOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await startWithApps();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

describe('names', () => {
  it('takes project/name, a name, and a unique beginning of either', async () => {
    for (const name of ['shop/worker', 'worker', 'wor', 'shop/wor', 'shop/web-']) {
      const ran = await cloud.skerry(['get', name, '--json']);
      expect({ name, code: ran.code, err: ran.err }).toEqual({ name, code: 0, err: '' });
    }
    expectWell(await cloud.skerry(['get', 'web', '--project', 'shop']));
  });

  it('names the candidates when several fit, and exits 3 when none does', async () => {
    const several = await cloud.skerry(['get', 'web']);
    expect(several.code).toBe(2);
    expect(several.err).toContain('bank/web');
    expect(several.err).toContain('shop/web');
    const none = await cloud.skerry(['why', 'nowhere']);
    expect(none.code).toBe(3);
    expect(none.err).toContain('skerry status');
    expect((await cloud.skerry(['site', 'show', 'atlantis'])).code).toBe(3);
    expect((await cloud.skerry(['site', 'show', 'eu', '--json'])).code).toBe(0);
  });

  it.each([
    ['get', '../../etc'],
    ['get', 'a/b/c'],
    ['logs', '*'],
    ['why', '$(id)'],
    ['rm', ''],
  ])('does not find %s %j', async (command, name) => {
    const ran = await cloud.skerry([command, name]);
    expect([2, 3]).toContain(ran.code);
    expect(ran.err).toMatch(/^error: /);
  });
});

describe('looking', () => {
  it.each([
    [['status'], /shop\/web\s+running\s+1\/1\s+eu-de 1/],
    [['get'], /shop\/worker/],
    [['get', 'shop/web'], /process: node server.mjs/],
    [['why', 'shop/web'], /us-east\s+-\s+0\s+capacity: has 0m, needs 100m/],
    [['why', 'shop/web', '--not-on', 'us-east'], /it would fit there if:\n\s+free 100m at us-east/],
    [['why', 'shop/web'], /inputs of the decision are no longer kept/],
    [['why', 'shop/web', '--revision', '1'], /as recorded, and decided again: the same, bit for bit/],
    [['why', 'shop/web', '--at', '2026-11-22T04:52:00+01:00'], /as recorded/],
    [['why', 'shop/web', '--at', '15m'], /as recorded/],
    [['site', 'ls'], /eu-de/],
    [['site', 'show', 'eu-de'], /eu-de \(onprem, own\)/],
    [['node', 'ls'], /NODE/],
    [['dlq', 'ls'], /no dead letters/],
    [['upgrade'], /1\s+centre\s+\d+\.\d+\.\d+\s+done/],
  ])('%j shows it, and the next command', async (args, shown) => {
    const ran = await cloud.skerry(args);
    expectWell(ran);
    expect(ran.out).toMatch(shown);
    const json = await cloud.skerry([...args, '--json']);
    expect(json.err).toBe('');
    for (const line of json.out.trim().split('\n')) expect(() => void JSON.parse(line)).not.toThrow();
  });

  it('takes what replicas say out of the way of the terminal', async () => {
    const escape = '\u001b]0;owned\u0007\u001b[31mred\u0000';
    cloud.standIns.put(statusOf('rude', { phase: 'degraded', reasons: [`${escape}why`] }));
    const ran = await cloud.skerry(['status']);
    cloud.standIns.statuses.delete('shop.rude');
    expect(ran.out).not.toContain('\u001b');
    expect(ran.out).toContain('redwhy');
  });

  it('colours nothing when it does not write to a terminal', async () => {
    expect((await cloud.skerry(['status'], { env: { FORCE_COLOR: '' } })).out).not.toContain('\u001b[');
  });

  it('prints a line for every change while it watches, until Ctrl-C, which is no failure', async () => {
    const context = join(cloud.hub.folder, 'context-admin.json');
    const ran = await runCli(['status', '--watch'], {
      cwd: cloud.hub.folder,
      env: { SKERRY_CONTEXT: context },
      signalAfter: { text: 'shop/worker', signal: 'SIGINT' },
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
  });

  it('follows events until Ctrl-C', async () => {
    const context = join(cloud.hub.folder, 'context-admin.json');
    const event = makeEvent({
      type: 'workload.placed',
      project: 'shop',
      name: 'web',
      version: 'cli',
      at: new Date().toISOString(),
      data: { state: 'placed' },
    });
    await cloud.bus.publish(eventSubject('workload.placed', 'web', 'shop'), event, { messageId: event.id });
    const ran = await runCli(['events', '-f', '--tail', '5', 'shop/web'], {
      cwd: cloud.hub.folder,
      env: { SKERRY_CONTEXT: context },
      signalAfter: { text: 'workload.placed', signal: 'SIGINT' },
    });
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/workload.placed\s+shop\/web state=placed/);
    expect((await cloud.skerry(['events', 'workload.bogus'])).code).toBe(1);
  });

  it('shows the lines of an app, and the gap where a site does not answer', async () => {
    const at = '2026-01-01T00:00:01.000Z';
    cloud.standIns.site(cloud.sites['eu-de'] ?? '', [
      { site: 'eu-de', replica: 'shop.web.eu-de.0', at, stream: 'stderr', line: 'hello\u001b[2J' },
    ]);
    const ran = await cloud.skerry(['logs', 'shop/web']);
    await cloud.standIns.silence();
    expectWell(ran);
    expect(ran.out).toContain('eu-de/0 hello\n');
    const bad = await cloud.skerry(['logs', 'shop/web', '--tail', '1000000']);
    expect(bad.code).toBe(2);
  });

  it.each([
    [['why', 'shop/web', '--revision', '0'], /whole number from 1/],
    [['why', 'shop/web', '--at', 'yesterday'], /a moment such as/],
    [['why', 'shop/web', '--at', '2026-02-31'], /a moment such as/],
    [['why', 'shop/web', '--at', '15m', '--revision', '2'], /cannot be used with/],
  ])('refuses %j', async (args, message) => {
    const ran = await cloud.skerry(args);
    expect(ran.err).toMatch(message);
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 2, out: '' });
  });
});
