import { join } from 'node:path';
import { hubServers, hubUrls, type CloudFile } from './cloud-file.js';
import type { CloudPaths } from './paths.js';
import type { ProcessSpec } from './supervisor.js';

/** The services of the control plane, in the order in which they are started. */
export const SERVICES = ['policy', 'inventory', 'scheduler', 'replicator', 'telemetry', 'api'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Where the built programs are and what they share. */
export interface Programs {
  /** Top of the repository. */
  root: string;
  natsServer: string;
  /** Added to the environment of every service and agent: tracing, Redis. */
  env: Readonly<Record<string, string>>;
}

// Small enough to keep idle services small, large enough that bursts do not spend a tenth of their time collecting. What is
// needed once a day, when a site is lost, stays compiled: the code of a rest would be thrown away after some collections.
const NODE_FLAGS = ['--max-semi-space-size=16', '--no-flush-bytecode', '--enable-source-maps'];
// Without threads of the runtime's own, an idle agent is 5 MiB smaller and always the same size.
const AGENT_FLAGS = ['--max-semi-space-size=2', '--single-threaded', '--no-flush-bytecode'];
/** Variables of this process that children see; nothing else of the environment leaks into them. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];

function environment(programs: Programs, more: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  return { ...own, ...programs.env, ...more };
}

/** One server of the hub, by its name. */
export function hubProcess(programs: Programs, paths: CloudPaths, name: string): ProcessSpec {
  return { name, argv: [programs.natsServer, '-c', paths.hubConfig(name)], env: environment(programs, {}) };
}

/** One instance of a service; `httpPort` is where its health is asked, `apiPort` where the api listens. */
export function serviceProcess(
  programs: Programs,
  paths: CloudPaths,
  cloud: CloudFile,
  options: { app: ServiceName; instance: number; httpPort: number; apiPort: number },
): ProcessSpec {
  const { app, instance, httpPort, apiPort } = options;
  const name = instance === 0 ? app : `${app}-${instance + 1}`;
  return {
    name,
    argv: [process.execPath, ...NODE_FLAGS, join(programs.root, 'apps', app, 'dist', 'main.js')],
    env: environment(programs, {
      SKERRY_NATS_URL: hubUrls(cloud).join(','),
      SKERRY_NATS_REPLICAS: String(hubServers(cloud).length),
      SKERRY_NATS_CREDS: paths.creds(app),
      SKERRY_INSTANCE: name,
      SKERRY_HTTP_PORT: String(httpPort),
      ...serviceSettings(programs, paths, cloud, app, apiPort),
    }),
  };
}

function serviceSettings(
  programs: Programs,
  paths: CloudPaths,
  cloud: CloudFile,
  app: ServiceName,
  apiPort: number,
): Record<string, string> {
  const reachable = cloud.listen === '0.0.0.0' ? '127.0.0.1' : cloud.listen;
  switch (app) {
    case 'policy':
      return {
        SKERRY_IDENTITY_DIR: paths.identity,
        SKERRY_SYS_CREDS: paths.creds('policy-sys'),
        SKERRY_BOOTSTRAP_FILE: paths.bootstrap,
        SKERRY_LEAF_URLS: hubServers(cloud)
          .map(({ leaf }) => `tls://${reachable}:${leaf}`)
          .join(','),
        // For trying out: this machine counts as a hub in the EU, unless somebody says where it is.
        SKERRY_HUB_JURISDICTIONS:
          programs.env['SKERRY_HUB_JURISDICTIONS'] ?? process.env['SKERRY_HUB_JURISDICTIONS'] ?? 'eu',
        SKERRY_RENEW_URL: `https://${reachable}:${cloud.ports.join}`,
      };
    case 'api':
      return {
        SKERRY_API_HOST: '127.0.0.1',
        SKERRY_API_PORT: String(apiPort),
        SKERRY_JOIN_HOST: cloud.listen,
        SKERRY_JOIN_PORT: String(cloud.ports.join),
        SKERRY_TLS_DIR: paths.hubTls,
        SKERRY_AGENT_BUNDLE: agentBundle(programs),
        NATS_SERVER: programs.natsServer,
      };
    case 'inventory':
    case 'scheduler':
    case 'replicator':
    case 'telemetry':
      return {};
  }
}

const agentBundle = (programs: Programs) => join(programs.root, 'apps', 'agent', 'dist', 'bundle.mjs');

export function leafProcess(programs: Programs, paths: CloudPaths, site: string): ProcessSpec {
  return {
    name: `leaf-${site}`,
    argv: [programs.natsServer, '-c', join(paths.site(site), 'leaf.conf')],
    env: environment(programs, {}),
  };
}

/** Name of the process of a site's node, by its number from 1; names of sites have no dots. */
export const agentName = (site: string, node = 1): string =>
  node === 1 ? `agent-${site}` : `agent-${site}.${node}`;

/** Whose process this is, by its name; undefined for one of another kind. */
export function agentOf(name: string): { site: string; node: number } | undefined {
  const [, site, node] = /^agent-([^.]+)(?:\.(\d+))?$/.exec(name) ?? [];
  return site === undefined ? undefined : { site, node: Number(node ?? 1) };
}

/** The agent of a site's node. Ended with SIGTERM it leaves its replicas running; see `LocalCloud.stop`. */
export function agentProcess(programs: Programs, paths: CloudPaths, site: string, node = 1): ProcessSpec {
  const dir = paths.node(site, node);
  return {
    name: agentName(site, node),
    argv: [process.execPath, ...AGENT_FLAGS, agentBundle(programs), 'run', '--dir', dir],
    env: environment(programs, {}),
    stopTimeoutMs: 20_000,
  };
}
