import { readFile } from 'node:fs/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import type { Report } from './report.js';

const PAYLOAD_BYTES = 1_024;
const SYNC_MESSAGES = 1_000;
const ASYNC_MESSAGES = 6_000;
const ASYNC_WINDOW = 256;

/** What the same server does without Skerry: publishes of 1 KiB into a file stream, one by one and 256 in flight, by the official client. */
export async function measureRaw(report: Report, options: { url: string; credsFile: string }): Promise<void> {
  const nc = await connect({
    servers: options.url,
    authenticator: credsAuthenticator(await readFile(options.credsFile)),
    noAsyncTraces: true,
  });
  try {
    const manager = await jetstreamManager(nc);
    await manager.streams.add({ name: 'RAW', subjects: ['raw.>'], max_bytes: 64 * 1024 * 1024 });
    const js = jetstream(nc);
    const payload = new Uint8Array(PAYLOAD_BYTES).fill(120);
    const syncStart = performance.now();
    for (let i = 0; i < SYNC_MESSAGES; i++) await js.publish(`raw.${i % 100}`, payload);
    report.add('raw.publish_sync_per_s', (SYNC_MESSAGES / (performance.now() - syncStart)) * 1_000, '1/s');
    const asyncStart = performance.now();
    let next = 0;
    const worker = async () => {
      while (next < ASYNC_MESSAGES) await js.publish(`raw.${next++ % 100}`, payload);
    };
    await Promise.all(Array.from({ length: ASYNC_WINDOW }, worker));
    report.add('raw.publish_async_per_s', (ASYNC_MESSAGES / (performance.now() - asyncStart)) * 1_000, '1/s');
    await manager.streams.delete('RAW');
  } finally {
    await nc.close();
  }
}
