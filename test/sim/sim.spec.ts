import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { FOUND } from './found.js';

const ROOT = resolve(import.meta.dirname, '../..');
const RUN = resolve(import.meta.dirname, 'run.mjs');
const SEEDS = 200;
/** On a machine with nothing else to do it takes a tenth. */
const LIMIT_MS = 300_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;

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
    first = await report('--seeds', String(SEEDS));
  }, LIMIT_MS);

  it(`keeps what the design promises over the first ${SEEDS} seeds`, () => {
    expect(first.failed).toEqual([]);
    expect(first.seeds).toBe(SEEDS);
  });

  it.each(FOUND)('passes seed $seed, which has found that $found', ({ seed }) => {
    expect(seed).toBeLessThanOrEqual(SEEDS);
    expect(first.failed.filter((f) => f.seed === seed)).toEqual([]);
  });

  it(
    'plays a seed again to the last byte, whatever ran before it',
    async () => {
      const [once, again] = [
        withoutTimes(await simulate('--seed', '7')),
        withoutTimes(await simulate('--seed', '7')),
      ];
      expect(once.length).toBeGreaterThan(5_000);
      expect(again).toBe(once);
      const { digest } = await report('--from', '6', '--seeds', '2');
      expect(once).toContain(digest);
    },
    LIMIT_MS,
  );

  it.each([
    { mutation: 'no-wall', from: 9, seeds: 1, invariant: 'residency' },
    { mutation: 'early-hand-over', from: 41, seeds: 1, invariant: 'singleton' },
  ])(
    'finds the mutation $mutation',
    async ({ mutation, from, seeds, invariant }) => {
      const args = [
        '--mutation',
        mutation,
        '--from',
        String(from),
        '--seeds',
        String(seeds),
        '--first-failure',
      ];
      expect((await report(...args)).failed[0]?.invariant).toBe(invariant);
    },
    LIMIT_MS,
  );
});

/** The last line says how long it took. */
function withoutTimes(output: string): string {
  return output.trimEnd().split('\n').slice(0, -1).join('\n');
}
