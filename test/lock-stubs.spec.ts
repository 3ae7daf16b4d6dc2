import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The packages of a lock after the script has been over it. */
function completed(packages: Record<string, object>): Record<string, object> {
  const file = join(folder, 'package-lock.json');
  writeFileSync(file, JSON.stringify({ lockfileVersion: 3, packages }));
  execFileSync(process.execPath, [join(import.meta.dirname, 'lock-stubs.mjs'), file], { stdio: 'pipe' });
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

it('adds the packages of other platforms that the lock lacks, with the platform that their name tells', () => {
  const optionalDependencies = {
    '@swc/core-darwin-arm64': '1.16.22',
    '@swc/core-linux-x64-musl': '^1.16.22',
    '@swc/core-win32-ia32-msvc': '1.16.22',
  };
  const after = completed({
    'node_modules/@swc/core': { version: '1.16.22', dev: true, optionalDependencies },
  });
  const entry = { version: '1.16.22', dev: true, optional: true };
  expect(after).toMatchObject({
    'node_modules/@swc/core-darwin-arm64': { ...entry, os: ['darwin'], cpu: ['arm64'] },
    'node_modules/@swc/core-linux-x64-musl': { ...entry, os: ['linux'], cpu: ['x64'], libc: ['musl'] },
    'node_modules/@swc/core-win32-ia32-msvc': { ...entry, os: ['win32'], cpu: ['ia32'] },
  });
});

it('leaves what the lock has, at the top or beside the package that wants it', () => {
  const packages = {
    'node_modules/a': {
      version: '1.0.0',
      optionalDependencies: { 'a-linux-x64': '1.0.0', 'b-linux-x64': '1.0.0' },
    },
    'node_modules/a-linux-x64': { version: '1.0.0', integrity: 'sha512-x' },
    'node_modules/a/node_modules/b-linux-x64': { version: '1.0.0' },
  };
  expect(completed(packages)).toEqual(packages);
});

it('adds nothing for a name that tells no platform', () => {
  const packages = { 'node_modules/a': { version: '1.0.0', optionalDependencies: { fsevents: '2.0.0' } } };
  expect(completed(packages)).toEqual(packages);
});

it('has been run: the lock of this repository lacks no package of another platform', () => {
  const file = join(import.meta.dirname, '../package-lock.json');
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  expect(Object.keys(completed(packages))).toEqual(Object.keys(packages));
});
