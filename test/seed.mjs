// Properties draw the same examples in every run, so that a change is judged by itself; SKERRY_TEST_SEED=N draws others, and
// SKERRY_TEST_SEED=random new ones each time (a failure prints its seed).
import { readFileSync } from 'node:fs';

const asked = process.env['SKERRY_TEST_SEED'] ?? '20261122';
if (asked !== 'random' && !/^-?\d{1,10}$/.test(asked)) {
  throw new Error(`SKERRY_TEST_SEED is '${asked}': give a whole number or 'random'`);
}
if (asked !== 'random' && readFileSync(expect.getState().testPath, 'utf8').includes("'fast-check'")) {
  const fc = await import('fast-check');
  fc.configureGlobal({ seed: Number(asked) });
}
