import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectBus, type Bus } from '@skerry/bus';
import type { SiteDescription } from '@skerry/contracts';
import { adminUserJwt, loadCloudIdentity, NKey, writeCreds } from '@skerry/identity';
import { clientOf, LocalCloud, type CloudOptions } from '@skerry/local';
import { findNatsServer } from '@skerry/nats-server';

/** Top of the repository. */
export const ROOT = resolve(import.meta.dirname, '..', '..');

/** A site far from nowhere, for tests that need only that it is one. */
export function plainSite(name: string, more: Partial<SiteDescription> = {}): SiteDescription {
  return {
    name,
    kind: 'onprem',
    location: { lat: 50, lon: 8 },
    jurisdictions: ['eu'],
    provider: 'own',
    prices: { cpuCoreMonth: 10, memoryGiBMonth: 1, egressGiB: 0, gpuMonth: 0 },
    labels: {},
    rttMs: {},
    taints: [],
    links: {},
    datasets: [],
    ...more,
  };
}

export interface CloudUnderTest {
  cloud: LocalCloud;
  /** May do everything on the hub's bus: looks where no app could. */
  admin: Bus;
  /** Ends everything and removes the folder. */
  end: () => Promise<void>;
}

/** A whole cloud of real processes on ports of its own in a folder of its own. */
export async function startCloud(
  options: Partial<Omit<CloudOptions, 'home' | 'programs'>> & {
    sites: SiteDescription[];
    env?: Record<string, string>;
    home?: string;
  },
): Promise<CloudUnderTest> {
  const { env = {}, home: given, ...rest } = options;
  const home = given ?? (await mkdtemp(join(tmpdir(), 'skerry-cloud-')));
  const programs = { root: ROOT, natsServer: await findNatsServer(), env };
  const cloud = await LocalCloud.start({ home, programs, ports: 'ephemeral', ...rest });
  const admin = await adminBus(cloud);
  const end = async () => {
    await admin.close();
    await cloud.stop();
    if (given === undefined) await rm(home, { recursive: true, force: true });
  };
  return { cloud, admin, end };
}

/** Waits until every site may be given work, and somebody is there to tell it: what is applied before goes elsewhere, or later. */
export async function allReady({ cloud }: CloudUnderTest): Promise<void> {
  const client = await clientOf(cloud);
  const wanted = cloud.file.sites.length;
  await eventually(
    async () => {
      const ready = (await client.sites()).filter((s) => s.state?.phase === 'ready').length;
      return ready === wanted && (await cloud.holds('replicator')).length > 0 ? true : undefined;
    },
    { withinMs: 30_000, what: `${wanted} sites are ready, and the replicator is active` },
  );
}

async function adminBus(cloud: LocalCloud): Promise<Bus> {
  const identity = await loadCloudIdentity(cloud.paths.identity);
  const user = NKey.create('user');
  const jwt = adminUserJwt({
    name: 'test-admin',
    user: user.publicKey,
    account: identity.cloudAccount.publicKey,
    issuer: identity.cloudSigning,
    issuedAtMs: Date.now(),
  });
  const file = cloud.paths.creds('test-admin');
  await writeCreds(file, jwt, user);
  return connectBus({
    servers: cloud.hubUrls,
    credsFile: file,
    name: 'test-admin',
  });
}

/** Polls until `probe` gives a value; rejects with what `describe` says when the time is up. */
export async function eventually<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  options: { withinMs: number; what: string | (() => string); everyMs?: number },
): Promise<T> {
  const deadline = Date.now() + options.withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (cause) {
      last = cause;
    }
    if (Date.now() > deadline)
      throw new Error(
        `not within ${options.withinMs} ms: ${typeof options.what === 'string' ? options.what : options.what()}`,
        { cause: last },
      );
    await new Promise((tick) => setTimeout(tick, options.everyMs ?? 50));
  }
}
