import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { liveStatusSubject } from '@skerry/contracts';
import { OtlpReceiver } from '../e2e/otlp-receiver.js';
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
    cloud.standIns.put(statusOf('waited', { phase: 'starting', running: 0 }));
    const running = cloud.skerry(['apply', '-f', path, '--wait']);
    await until(async () => (await committed('waited')) !== undefined, 'it is applied', 20_000);
    await until(() => cloud.standIns.listed.has('shop.waited'), 'it was told how it is', 20_000);
    const status = statusOf('waited', { phase: 'running' });
    cloud.standIns.put(status);
    cloud.bus.say(liveStatusSubject('shop', 'waited'), status);
    const ran = await running;
    expect(ran.code).toBe(0);
    expect(ran.err).toMatch(/shop\/waited starting 0\/1 at eu-de[\s\S]+shop\/waited running 1\/1 at eu-de/);
  }, 60_000);

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
  }, 60_000);

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
