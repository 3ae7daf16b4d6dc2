import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { FOUND } from './found.js';

const ROOT = resolve(import.meta.dirname, '../..');
const RUN = resolve(import.meta.dirname, 'run.mjs');
const SEEDS = 25;
/** Seeds beyond these that have found something. */
const LATER = FOUND.flatMap(({ seed }) => (seed > SEEDS ? [seed] : []));
/** With a mutation, if the first of them does not find it. */
const TRIED = 100;
/** On a machine with nothing else to do it takes a twentieth. */
const LIMIT_MS = 600_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;

const mutationsSchema = z.object({
  MUTATIONS: z
    .array(
      z.object({
        name: z.string(),
        says: z.string(),
        breaks: z.string(),
        from: z.number(),
        rare: z.boolean().optional(),
        isLong: z.boolean().optional(),
      }),
    )
    .min(1),
});
const { MUTATIONS } = mutationsSchema.parse(await import(resolve(import.meta.dirname, 'mutations.mjs')));

const reportSchema = z.object({
  seeds: z.number(),
  digest: z.string(),
  failed: z.array(z.object({ seed: z.number(), invariant: z.string(), detail: z.string() })),
});

/** What a run prints; a run in which a seed fails ends with a code and prints all the same. */
async function simulate(...args: string[]): Promise<string> {
  const options = { cwd: ROOT, maxBuffer: OUTPUT_BYTES, env: { ...process.env, NODE_OPTIONS: '' } };
  try {
    return (await promisify(execFile)(process.execPath, [RUN, ...args], options)).stdout;
  } catch (error) {
    const printed = z.object({ stdout: z.string().min(1) }).safeParse(error);
    if (printed.success) return printed.data.stdout;
    throw error;
  }
}

async function report(...args: string[]) {
  return reportSchema.parse(JSON.parse(await simulate(...args, '--json')));
}

describe('the cloud in virtual time', () => {
  let first: z.infer<typeof reportSchema>;
  beforeAll(async () => {
    first = await report('--seeds', String(SEEDS), '--also', LATER.join(','), '--workers', '2');
  }, LIMIT_MS);

  it(`keeps what the design promises over the first ${SEEDS} seeds`, () => {
    expect(first.failed.filter(({ seed }) => seed <= SEEDS)).toEqual([]);
    expect(first.seeds).toBe(SEEDS + LATER.length);
  });

  it.each(FOUND)('passes seed $seed, which has found that $found', ({ seed }) => {
    expect(first.failed.filter((f) => f.seed === seed)).toEqual([]);
  });

  it(
    'plays a seed again to the last byte, whatever ran before it, and in whichever process',
    async () => {
      const [once, again] = [
        withoutTimes(await simulate('--seed', '7')),
        withoutTimes(await simulate('--seed', '7')),
      ];
      expect(once.length).toBeGreaterThan(5_000);
      expect(again).toBe(once);
      const { digest } = await report('--from', '6', '--seeds', '2', '--workers', '2');
      expect(once).toContain(digest);
      expect((await report('--from', '6', '--seeds', '2')).digest).toBe(digest);
    },
    LIMIT_MS,
  );
  // Seeds before these find nothing. What changes the course of a seed moves the find on: then a few more are tried.
  it.each(MUTATIONS.filter(({ rare, isLong }) => rare !== true && isLong !== true))(
    'finds the mutation $name: $says',
    async ({ name, breaks, from }) => {
      const seeds = ['--from', String(from), '--seeds', String(TRIED), '--first-failure'];
      expect((await report('--mutation', name, ...seeds)).failed[0]?.invariant).toBe(breaks);
    },
    LIMIT_MS,
  );
});

/** The last line says how long it took. */
function withoutTimes(output: string): string {
  return output.trimEnd().split('\n').slice(0, -1).join('\n');
}
