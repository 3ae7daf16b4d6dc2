import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Copies } from '@skerry/agent';
import { copySchema, workloadKey } from '@skerry/contracts';
import { z } from 'zod';
import type { PartContext } from './dataset-parts.js';
import { endable } from './failover-ends.js';
import { residentMiB } from './resident-memory.js';

const MIB = 1024 * 1024;
const IN_FLIGHT = 512;
const VALUE = 'x'.repeat(64);
const NAMES = { project: 'bench', name: 'million' };

/** What the process that has the copy says. */
const saidSchema = z.object({ tookMs: z.number(), cpuMs: z.number(), keys: z.number() });
/** What that process does: write so many keys, or open what was written. */
export const copyTaskSchema = z.strictObject({ folder: z.string(), keys: z.coerce.number().int() });
type CopyTask = z.infer<typeof copyTaskSchema>;

/** `data.million_keys_*`: the agent's copies alone in a process of their own, with one dataset of so many keys of 64 bytes. */
export async function openMillion({ report, sizes, say }: PartContext): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-million-'));
  const cleanUp = endable(async () => await rm(folder, { recursive: true, force: true }));
  try {
    const task = { folder, keys: sizes.keys };
    const written = await inProcess('write', task);
    const files = (await readdir(folder)).filter((file) => file.endsWith('.copy'));
    const { size } = await stat(join(folder, files[0] ?? ''));
    say(`${written.keys} keys of a file of ${Math.round(size / MIB)} MiB`);
    const opened = await inProcess('open', task);
    if (opened.keys !== sizes.keys) throw new Error(`${opened.keys} keys of ${sizes.keys}`);
    report.add('data.million_keys_written_per_s', (written.keys / written.tookMs) * 1_000, '1/s');
    report.add('data.million_keys_open_s', opened.tookMs / 1_000, 's');
    report.add('data.million_keys_open_cpu_s', opened.cpuMs / 1_000, 's');
    report.add('data.million_keys_rss_mib', opened.residentMiB, 'MiB');
  } finally {
    await cleanUp();
  }
}

/** Runs in the process of its own: with `write` it writes the keys first. Ends when it is killed. */
export async function doCopyTask(verb: string, { folder, keys }: CopyTask): Promise<void> {
  const beganAt = performance.now();
  const cpu = process.cpuUsage();
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const copies = await Copies.open(folder, { site: 'bench', node: 'bench-1', log });
  if (verb === 'write') await writeKeys(copies, keys);
  const held = copies.get(workloadKey(NAMES.project, NAMES.name))?.copy.state().keys ?? 0;
  const { user, system } = process.cpuUsage(cpu);
  process.send?.({ tookMs: performance.now() - beganAt, cpuMs: (user + system) / 1_000, keys: held });
  await once(process, 'disconnect');
}

async function writeKeys(copies: Copies, keys: number): Promise<void> {
  const limits = { keys, bytes: 256 * MIB };
  const copy = await copies.want(
    copySchema.parse({ ...NAMES, incarnation: 1, generation: 1, conflicts: 'newest', limits }),
  );
  for (let n = 0; n < keys; n += IN_FLIGHT)
    await Promise.all(
      Array.from({ length: Math.min(IN_FLIGHT, keys - n) }, async (_, i) => {
        await copy.write(`key-${n + i}`, { verb: 'put', value: VALUE });
      }),
    );
  // As when the hub has them.
  await copy.sent(keys);
}

async function inProcess(verb: string, { folder, keys }: CopyTask) {
  const [, self = ''] = process.argv;
  const child = fork(self, ['--copy-task', verb, '--folder', folder, '--keys', String(keys)]);
  try {
    const [message] = await once(child, 'message');
    return { ...saidSchema.parse(message), residentMiB: residentMiB(child.pid) };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

const ignore = () => undefined;
