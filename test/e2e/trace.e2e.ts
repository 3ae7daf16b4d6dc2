import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { allReady, eventually, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { OtlpReceiver } from './otlp-receiver.js';
import { runSkerry } from './skerry-command.js';
import { httpService } from './workloads.js';

const PARTS = [
  'skerry-cli',
  'skerry-api',
  'skerry-policy',
  'skerry-scheduler',
  'skerry-replicator',
  'skerry-agent',
];

describe('the trace of one apply', () => {
  let receiver: OtlpReceiver;
  let under: CloudUnderTest;
  let folder: string;
  beforeAll(async () => {
    receiver = await OtlpReceiver.listen();
    under = await startCloud({
      sites: [plainSite('traced')],
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '200' },
    });
    folder = await mkdtemp(join(tmpdir(), 'skerry-trace-'));
    // What the replicator finds when it begins is told to the site without the trace of who asked for it.
    await allReady(under);
  }, 90_000);
  afterAll(async () => {
    await under.end();
    await receiver.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('is one tree from the command line to the running replica, under the id that the command line prints', async () => {
    const file = join(folder, 'web.json');
    await writeFile(file, JSON.stringify(httpService('seen')));
    const { code, stdout, stderr } = await runSkerry(under, ['apply', '-f', file, '--wait', '--json'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const traceId = /"traceId":\s*"([0-9a-f]{32})"/.exec(stdout)?.[1] ?? '';
    expect(traceId).not.toBe('');
    const services = () => new Set(receiver.trace(traceId).map((s) => s.service));
    await eventually(() => (PARTS.every((p) => services().has(p)) ? true : undefined), {
      withinMs: 15_000,
      what: `all of ${PARTS.join(', ')}; seen ${[...services()].join(', ')}`,
    });
    // A parent ends after its children, so it arrives last.
    const orphans = () => {
      const ids = new Set(receiver.trace(traceId).map((s) => s.spanId));
      return receiver.trace(traceId).filter((s) => s.parentSpanId !== undefined && !ids.has(s.parentSpanId));
    };
    await eventually(() => (orphans().length === 0 ? true : undefined), {
      withinMs: 15_000,
      what: () => `every parent: ${JSON.stringify(orphans())}`,
    });
    const spans = receiver.trace(traceId);
    const roots = spans.filter((s) => s.parentSpanId === undefined);
    expect(roots.map((s) => s.service)).toEqual(['skerry-cli']);
    expect(receiver.malformed).toBe(0);
  });
});
