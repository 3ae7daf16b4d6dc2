import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-reporter-'));
  writeFileSync(join(folder, 'package.json'), '{}');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs jest over these files, with the reporter, and gives what it printed and the numbers it wrote. */
async function report(files: Record<string, string>): Promise<{ printed: string; numbers: unknown }> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const summary = join(folder, 'summary.json');
  const config = JSON.stringify({
    rootDir: folder,
    testMatch: ['**/*.test.js'],
    transform: {},
    cache: false,
  });
  const argv = [
    join(ROOT, 'node_modules/jest/bin/jest.js'),
    '--runInBand',
    `--config=${config}`,
    `--reporters=${join(ROOT, 'test/jest-reporter.mjs')}`,
  ];
  const child = spawn(process.execPath, argv, {
    cwd: folder,
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules --no-warnings',
      SKERRY_TEST_SUMMARY: summary,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed += text));
  await new Promise((done) => child.on('close', done));
  return { printed, numbers: JSON.parse(readFileSync(summary, 'utf8')) };
}

it('counts what passed, failed and was skipped, names files that failed, and shows each failure', async () => {
  const { printed, numbers } = await report({
    'a.test.js': "test('one', () => {}); test.skip('two', () => {}); test.todo('three');",
    'b.test.js': "test('adds', () => { expect(1).toBe(2); }); test('x', () => {});",
  });
  const files = [{ file: 'b.test.js', passed: 1, failed: 1, skipped: 0 }];
  expect(numbers).toEqual({ passed: 2, failed: 1, skipped: 2, files });
  expect(printed).toMatch(/^ok {3}a\.test\.js \(1 passed, 2 skipped, [\d.]+ s\)$/m);
  expect(printed).toMatch(/^FAIL b\.test\.js \(1 passed, 1 failed, [\d.]+ s\)$/m);
  expect(printed).toContain('Expected: 2');
});

it('counts a file that does not run as one failed', async () => {
  const { printed, numbers } = await report({
    'a.test.js': 'this is not JavaScript',
    'b.test.js': "test('x', () => {});",
  });
  const files = [{ file: 'a.test.js', passed: 0, failed: 1, skipped: 0 }];
  expect(numbers).toEqual({ passed: 1, failed: 1, skipped: 0, files });
  expect(printed).toMatch(/^FAIL a\.test\.js \(0 passed, 1 failed/m);
});
