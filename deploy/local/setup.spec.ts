import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { capture, sourcesDigest, whyInstall } from './setup.mjs';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skerry-setup-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: string | object): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

describe('an install is needed', () => {
  const zod = { 'node_modules/zod': { version: '4.6.7' } };
  const installed = (packages: object): void => write('node_modules/.package-lock.json', { packages });
  const locked = (packages: object): void =>
    write('package-lock.json', { packages: { '': {}, ...packages } });

  it('when there is no node_modules, or npm was interrupted', () => {
    locked(zod);
    write('node_modules/zod/package.json', {});
    expect(whyInstall(root)).toBe('node_modules is missing or incomplete');
  });

  it('when a package has another version than the lock', () => {
    locked(zod);
    installed({ 'node_modules/zod': { version: '4.6.6' } });
    expect(whyInstall(root)).toBe('zod is not as in package-lock.json');
  });

  it('when the lock has a package more, or a room is linked elsewhere', () => {
    locked({ ...zod, 'node_modules/@skerry/bus': { resolved: 'libs/bus', link: true } });
    installed(zod);
    expect(whyInstall(root)).toBe('@skerry/bus is not as in package-lock.json');
    installed({ ...zod, 'node_modules/@skerry/bus': { resolved: 'libs/old', link: true } });
    expect(whyInstall(root)).toBe('@skerry/bus is not as in package-lock.json');
  });

  it('but not for packages that serve other platforms, nor for the rooms themselves', () => {
    locked({ ...zod, 'node_modules/x-darwin-arm64': { version: '1.0.0', optional: true }, 'libs/bus': {} });
    installed(zod);
    expect(whyInstall(root)).toBeUndefined();
  });
});

describe('a build is needed', () => {
  beforeEach(() => {
    for (const name of ['package-lock.json', 'tsconfig.json', 'nx.json', 'libs/bus/package.json'])
      write(name, {});
    write('libs/bus/src/index.ts', 'export const bus = 1;');
    write('libs/bus/src/index.spec.ts', '');
    write('libs/bus/dist/index.js', '');
  });
  const changes = async (path: string, content: string): Promise<boolean> => {
    const before = await sourcesDigest(root);
    write(path, content);
    return (await sourcesDigest(root)) !== before;
  };

  it.each([
    ['a source changes', 'libs/bus/src/index.ts', 'export const bus = 2;', true],
    ['a source appears', 'libs/bus/src/deep/lease.ts', '', true],
    ['the settings change', 'tsconfig.json', '{"strict":true}', true],
    ['a room changes its dependencies', 'libs/bus/package.json', '{"dependencies":{}}', true],
    ['only a test changes', 'libs/bus/src/index.spec.ts', 'it', false],
    ['only what is built changes', 'libs/bus/dist/index.js', 'x', false],
    ['a source is written again as it was', 'libs/bus/src/index.ts', 'export const bus = 1;', false],
  ])('when %s: %s', async (_when, path, content, expected) => {
    expect(await changes(path, content)).toBe(expected);
  });
});

describe('a command', () => {
  it('gives its code and both its outputs', async () => {
    const script = "console.log('out'); console.error('err'); process.exitCode = 3;";
    const { code, output } = await capture([process.execPath, '-e', script]);
    expect([code, output.split('\n').filter(Boolean).sort()]).toEqual([3, ['err', 'out']]);
  });

  it('that cannot be run is a failure with its name', async () => {
    expect(await capture(['/no/such/command'])).toEqual({
      code: 127,
      output: expect.stringContaining('/no/such/command could not be run'),
    });
  });

  it('that is killed is a failure', async () => {
    const { code, output } = await capture([process.execPath, '-e', "process.kill(process.pid, 'SIGKILL')"]);
    expect([code, output]).toEqual([1, '\nSIGKILL']);
  });
});
