import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  BUCKETS,
  deadLetterSubject,
  eventSubject,
  HEADERS,
  liveStatusSubject,
  makeEvent,
  workloadSchema,
} from '@skerry/contracts';
import { OtlpReceiver } from '../e2e/otlp-receiver.js';
import { ApiCloud, type Ran, runCli } from './api-cloud.js';
import { statusOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
  for (const name of ['web', 'worker', 'web-admin']) cloud.standIns.put(statusOf(name));
  cloud.standIns.put(statusOf('web', { project: 'bank' }));
  await cloud.client().apply({
    sources: [{ name: 'all.yaml', text: ['web', 'worker', 'web-admin'].map((n) => yamlOf(n)).join('---\n') }],
  });
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

async function committed(name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.workloads, (value) => workloadSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}

/** A good end: nothing on standard error, and for people the next command at the end. */
function expectWell(ran: Ran): void {
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' });
  expect(ran.out).toMatch(/\nnext: .+\n$/s);
}

describe('apply', () => {
  it('says what changed and under which trace, and exits 0', async () => {
    const path = await cloud.file('one.yaml', yamlOf('cli-one'));
    const ran = await cloud.skerry(['apply', '-f', path]);
    expectWell(ran);
    expect(ran.out).toMatch(/shop\/cli-one\s+created\s+1/);
    expect(ran.out).toMatch(/trace [0-9a-f]{32}/);
    const again = await cloud.skerry(['apply', '-f', path, '--json']);
    expect(JSON.parse(again.out)).toMatchObject({
      ok: true,
      changes: [{ change: 'unchanged' }],
      traceId: expect.any(String),
    });
  });

  it('takes a folder in the order of names as one command, and names the file of each mistake', async () => {
    const folder = join(cloud.hub.folder, 'documents');
    await mkdir(folder);
    await cloud.file('documents/b.yml', yamlOf('folder-b', '"two"'));
    await cloud.file('documents/a.yaml', yamlOf('folder-a', '-1'));
    await cloud.file(
      'documents/c.json',
      JSON.stringify({
        apiVersion: 'skerry/v1',
        kind: 'Workload',
        metadata: { name: 'folder-c', project: 'shop' },
        spec: { run: { command: ['a'] } },
      }),
    );
    await cloud.file('documents/notes.txt', 'not a document');
    const bad = await cloud.skerry(['apply', '-f', folder]);
    expect(bad.code).toBe(1);
    expect(bad.err).toContain('a.yaml folder-a: spec.placement.replicas');
    expect(bad.err).toContain('b.yml folder-b: spec.placement.replicas');
    expect(bad.err.indexOf('a.yaml')).toBeLessThan(bad.err.indexOf('b.yml'));
    expect(await committed('folder-c')).toBeUndefined();
    await cloud.file('documents/a.yaml', yamlOf('folder-a'));
    await cloud.file('documents/b.yml', yamlOf('folder-b'));
    expectWell(await cloud.skerry(['apply', '-f', folder]));
    expect(await committed('folder-c')).toBeDefined();
  });

  it('takes standard input', async () => {
    expectWell(await cloud.skerry(['apply', '-f', '-'], { stdin: yamlOf('piped') }));
    expect(await committed('piped')).toBeDefined();
  });

  it('waits with visible progress until it runs', async () => {
    const path = await cloud.file('waited.yaml', yamlOf('waited'));
    const timer = setTimeout(() => {
      const status = statusOf('waited', { phase: 'running' });
      cloud.standIns.put(status);
      cloud.bus.say(liveStatusSubject('shop', 'waited'), status);
    }, 1_000);
    cloud.standIns.put(statusOf('waited', { phase: 'starting', running: 0 }));
    const ran = await cloud.skerry(['apply', '-f', path, '--wait']);
    clearTimeout(timer);
    expect(ran.code).toBe(0);
    expect(ran.err).toMatch(/shop\/waited starting 0\/1 at eu-de[\s\S]+shop\/waited running 1\/1 at eu-de/);
  });

  it('exits 124 when it does not run in time, and 1 when it never will; both say what to look at', async () => {
    const path = await cloud.file('never.yaml', yamlOf('never'));
    cloud.standIns.put(statusOf('never', { phase: 'starting', running: 0 }));
    const late = await cloud.skerry(['apply', '-f', path, '--wait', '1']);
    expect(late.code).toBe(124);
    expect(late.err).toContain('shop/never is starting');
    expect(late.err).toContain('hint: skerry why shop/never');
    cloud.standIns.put(statusOf('never', { phase: 'failed', running: 0, reasons: ['exit code 3'] }));
    const failed = await cloud.skerry(['apply', '-f', path, '--wait', '20']);
    expect(failed.code).toBe(1);
    expect(failed.err).toContain('exit code 3');
  }, 20_000);

  it.each([
    ['a file that is not there', ['apply', '-f', 'nowhere.yaml'], 2, /no file or folder nowhere.yaml/],
    ['no file at all', ['apply'], 2, /--file/],
    ['an unknown option', ['apply', '-f', '-', '--now'], 2, /unknown option/],
    ['a wait that is no number', ['apply', '-f', '-', '--wait', 'soon'], 2, /whole number/],
    ['nothing on standard input', ['apply', '-f', '-'], 1, /nothing to apply/],
  ])('refuses %s', async (_what, args, code, message) => {
    const ran = await cloud.skerry(args);
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' });
    expect(ran.err).toMatch(message);
  });

  it.each([
    ['an empty folder', 'empty', undefined, 2, /holds no document/],
    ['a file that is too large', 'large.yaml', 'x'.repeat(800_000), 1, /limit documentBytes/],
    ['a file that is no text', 'binary.yaml', new Uint8Array([0, 255, 254]), 1, /UTF-8/],
    ['a file that is no YAML', 'broken.yaml', 'a: [1,\nb: }', 1, /broken.yaml:\d+:\d+/],
  ])('refuses %s', async (_what, name, content, code, message) => {
    const path = join(cloud.hub.folder, name);
    if (content === undefined) await mkdir(path);
    else await cloud.file(name, content);
    const ran = await cloud.skerry(['apply', '-f', path]);
    expect(ran.code).toBe(code);
    expect(ran.err).toMatch(message);
  });
});

describe('plan', () => {
  it('exits 1 for changes, 0 for nothing to do, 2 for what cannot be; and commits nothing', async () => {
    const path = await cloud.file('plan.yaml', yamlOf('planned'));
    const ran = await cloud.skerry(['plan', '-f', path]);
    expect(ran.code).toBe(1);
    expect(ran.out).toContain('+ shop/planned: 1 of 1 replicas placed');
    expect(ran.out).toContain('nearest to all users');
    expect(ran.out).toContain('nothing was committed');
    expect(await committed('planned')).toBeUndefined();
    const same = await cloud.file('same.yaml', yamlOf('web'));
    expect((await cloud.skerry(['plan', '-f', same])).code).toBe(0);
    const bad = await cloud.file('bad.yaml', yamlOf('planned', -1));
    expect((await cloud.skerry(['plan', '-f', bad])).code).toBe(2);
  });
});

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
    [['why', 'shop/web', '--not-on', 'us-east'], /capacity\s+fails\s+0m\s+100m/],
    [['site', 'ls'], /eu-de/],
    [['site', 'show', 'eu-de'], /eu-de \(onprem, own\)/],
    [['node', 'ls'], /NODE/],
    [['dlq', 'ls'], /no dead letters/],
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
});

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

describe('who is spoken to', () => {
  let folder: string;
  let fake: Server;
  let fakeUrl: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-cli-'));
    fake = createServer((_request, response) => response.end('<html>not this</html>'));
    await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
    const address = fake.address();
    fakeUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  });
  afterAll(async () => {
    fake.closeAllConnections();
    await new Promise((resolve) => fake.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const token = `sky_${'0'.repeat(12)}_${'a'.repeat(43)}`;

  it('says how to get a cloud when none is known', async () => {
    const ran = await runCli(['status'], { cwd: folder });
    expect(ran.code).toBe(2);
    expect(ran.err).toContain('npm start');
  });

  it('refuses a context file that others can read, and one that is broken, without repeating what is in it', async () => {
    const open = await cloud.file('open.json', JSON.stringify({ url: cloud.url, token }));
    await chmod(open, 0o644);
    const ran = await cloud.skerry(['--context', open, 'status']);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(`chmod 600 ${open}`);
    const broken = await cloud.file('broken.json', `{"url": "${cloud.url}", "token": "${token}"`);
    await chmod(broken, 0o600);
    const bad = await cloud.skerry(['--context', broken, 'status']);
    expect(bad.code).toBe(2);
    expect(bad.err + ran.err).not.toContain(token);
    const wrong = await cloud.file('wrong.json', JSON.stringify({ url: 'ftp://x', token, colour: 'red' }));
    await chmod(wrong, 0o600);
    expect((await cloud.skerry(['--context', wrong, 'status'])).err).toMatch(
      /url: [\s\S]+colour: unknown field/,
    );
  });

  it('exits 5 for a token that is wrong or expired', async () => {
    const wrong = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: cloud.url, SKERRY_TOKEN: token },
    });
    expect(wrong.code).toBe(5);
    expect(wrong.err).toContain('not known');
    const expired = await cloud.skerry(['status'], { role: 'expired' });
    expect(expired.code).toBe(5);
    expect(expired.err).toContain('expired');
  });

  it('exits 4 when nothing listens, and when something else does', async () => {
    const nobody = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: 'http://127.0.0.1:9', SKERRY_TOKEN: token },
    });
    expect(nobody.code).toBe(4);
    expect(nobody.err).toContain('npm start');
    const other = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: fakeUrl, SKERRY_TOKEN: token },
    });
    expect(other.code).toBe(4);
    expect(other.err).toContain('no JSON');
  });

  it('refuses a token in an argument, where others could read it', async () => {
    const ran = await runCli(['status', '--url', `http://x/?${token}`], { cwd: folder });
    expect(ran.code).toBe(2);
    expect(ran.err).not.toContain(token);
  });

  it('knows its version and its help without a cloud', async () => {
    expect(await runCli(['version'], { cwd: folder })).toMatchObject({ code: 0, out: '0.1.0\n' });
    const help = await runCli(['--help'], { cwd: folder });
    expect(help.code).toBe(0);
    expect(help.out).toContain('124 waited too long');
  });

  it("prints a context for the nats CLI from an operator's credentials", async () => {
    const context = await cloud.file(
      'creds.json',
      JSON.stringify({
        url: cloud.url,
        token,
        natsUrl: 'tls://h:1',
        natsCa: '/ca.crt',
        operatorCreds: '/op.creds',
      }),
    );
    await chmod(context, 0o600);
    const ran = await cloud.skerry(['--context', context, 'creds']);
    expectWell(ran);
    expect(ran.out).toContain("nats --server tls://h:1 --creds /op.creds --tlsca /ca.crt sub 'skerry.evt.>'");
    const json = await cloud.skerry(['--context', context, 'creds', '--json']);
    expect(JSON.parse(json.out)).toEqual({
      description: expect.any(String),
      url: 'tls://h:1',
      creds: '/op.creds',
      ca: '/ca.crt',
    });
    expect((await cloud.skerry(['creds'])).code).toBe(1);
  });
});

describe('the trace of a run', () => {
  it('is exported as one root span when a receiver is named, under the id that is printed', async () => {
    const receiver = await OtlpReceiver.listen();
    const path = await cloud.file('spanned.yaml', yamlOf('spanned'));
    const ran = await cloud.skerry(['apply', '-f', path], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
    });
    const traceId = /trace ([0-9a-f]{32})/.exec(ran.out)?.[1] ?? '';
    const spans = receiver.trace(traceId);
    await receiver.close();
    expect(spans.map(({ service, parentSpanId }) => ({ service, parentSpanId }))).toEqual([
      { service: 'skerry-cli', parentSpanId: undefined },
    ]);
  });
});
