import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VERSION } from '@skerry/contracts';
import { type ApiCloud, runCli } from './api-cloud.js';
import { expectWell, startWithApps } from './cli-under-test.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await startWithApps();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

describe('who is spoken to', () => {
  let folder: string;
  let fake: Server;
  let fakeUrl: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-cli-'));
    fake = createServer((_request, response) => response.end('<html>not this</html>'));
    await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
    const address = fake.address();
    fakeUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  });
  afterAll(async () => {
    fake.closeAllConnections();
    await new Promise((resolve) => fake.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const token = `sky_${'0'.repeat(12)}_${'a'.repeat(43)}`;

  it('says how to get a cloud when none is known', async () => {
    const ran = await runCli(['status'], { cwd: folder });
    expect(ran.code).toBe(2);
    expect(ran.err).toContain('npm start');
  });

  it('refuses a context file that others can read, and one that is broken, without repeating what is in it', async () => {
    const open = await cloud.file('open.json', JSON.stringify({ url: cloud.url, token }));
    await chmod(open, 0o644);
    const ran = await cloud.skerry(['--context', open, 'status']);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(`chmod 600 ${open}`);
    const broken = await cloud.file('broken.json', `{"url": "${cloud.url}", "token": "${token}"`);
    await chmod(broken, 0o600);
    const bad = await cloud.skerry(['--context', broken, 'status']);
    expect(bad.code).toBe(2);
    expect(bad.err + ran.err).not.toContain(token);
    const wrong = await cloud.file('wrong.json', JSON.stringify({ url: 'ftp://x', token, colour: 'red' }));
    await chmod(wrong, 0o600);
    expect((await cloud.skerry(['--context', wrong, 'status'])).err).toMatch(
      /url: [\s\S]+colour: unknown field/,
    );
  });

  it('exits 5 for a token that is wrong or expired', async () => {
    const wrong = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: cloud.url, SKERRY_TOKEN: token },
    });
    expect(wrong.code).toBe(5);
    expect(wrong.err).toContain('not known');
    const expired = await cloud.skerry(['status'], { role: 'expired' });
    expect(expired.code).toBe(5);
    expect(expired.err).toContain('expired');
  });

  it('exits 4 when nothing listens, and when something else does', async () => {
    const nobody = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: 'http://127.0.0.1:9', SKERRY_TOKEN: token },
    });
    expect(nobody.code).toBe(4);
    expect(nobody.err).toContain('npm start');
    const other = await runCli(['status'], {
      cwd: folder,
      env: { SKERRY_URL: fakeUrl, SKERRY_TOKEN: token },
    });
    expect(other.code).toBe(4);
    expect(other.err).toContain('no JSON');
  });

  it('refuses a token in an argument, where others could read it', async () => {
    const ran = await runCli(['status', '--url', `http://x/?${token}`], { cwd: folder });
    expect(ran.code).toBe(2);
    expect(ran.err).not.toContain(token);
  });

  it('knows its version and its help without a cloud', async () => {
    expect(await runCli(['version'], { cwd: folder })).toMatchObject({ code: 0, out: `${VERSION}\n` });
    const help = await runCli(['--help'], { cwd: folder });
    expect(help.code).toBe(0);
    expect(help.out).toContain('124 waited too long');
  });

  it("prints a context for the nats CLI from an operator's credentials", async () => {
    const context = await cloud.file(
      'creds.json',
      JSON.stringify({
        url: cloud.url,
        token,
        natsUrl: 'tls://h:1',
        natsCa: '/ca.crt',
        operatorCreds: '/op.creds',
      }),
    );
    await chmod(context, 0o600);
    const ran = await cloud.skerry(['--context', context, 'creds']);
    expectWell(ran);
    expect(ran.out).toContain("nats --server tls://h:1 --creds /op.creds --tlsca /ca.crt sub 'skerry.evt.>'");
    const json = await cloud.skerry(['--context', context, 'creds', '--json']);
    expect(JSON.parse(json.out)).toEqual({
      description: expect.any(String),
      url: 'tls://h:1',
      creds: '/op.creds',
      ca: '/ca.crt',
    });
    expect((await cloud.skerry(['creds'])).code).toBe(1);
  });
});
