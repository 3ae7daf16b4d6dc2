import { confText, type ConfBlock } from './conf-text.js';
import { isPublicKey, requirePublicKey } from './nkey.js';
import {
  LEAF_HANDSHAKE_TIMEOUT_S,
  commonSettings,
  jetStreamSettings,
  listenText,
  requireName,
  tlsSettings,
  type JetStreamBounds,
  type Listen,
  type TlsFiles,
} from './server-options.js';

/** JetStream domain of the hub. */
export const HUB_DOMAIN = 'hub';
/** Consumers of one stream; the server's own default of 1,000 would bound the number of sites. */
export const MAX_CONSUMERS_PER_STREAM = 5_000;

/** One server of the hub. */
export interface HubConfigOptions {
  serverName: string;
  /** For services and people. Without TLS only on a loopback address. `advertise` is `host:port` as others reach it. */
  client: Listen & { tls?: TlsFiles; advertise?: string };
  /** Metrics and health of the server, unauthenticated: a loopback or private address. */
  monitoring?: Listen;
  /** `operatorJwt(...)`. */
  operatorJwt: string;
  systemAccount: string;
  /** Folder in which the server keeps the claims that were pushed to it. */
  resolverDir: string;
  /** Account claims known from the start, by account: at least the system account's. Pushed newer ones win. */
  accounts: Readonly<Record<string, string>>;
  jetstream: JetStreamBounds;
  /**
   * For the sites, TLS 1.3 and mutual. Its `caFile` is the sites' authority, another one than the servers':
   * else a site's certificate would open the routes between the hub's servers.
   */
  leaf: Listen & { tls: TlsFiles };
  /** The hub's other servers; none for a hub of one. */
  cluster?: Listen & { name: string; routes: readonly string[]; tls: TlsFiles; advertise?: string };
  pidFile?: string;
  logFile?: string;
}

/** Configuration of a hub server. Throws for a value that cannot be right, naming it. */
export function hubConfig(options: HubConfigOptions): string {
  requirePublicKey('account', options.systemAccount);
  const { tls } = options.client;
  if (tls === undefined && !isLoopback(options.client.host)) {
    throw new Error(`the hub's clients need TLS on ${options.client.host}`);
  }
  return confText({
    ...commonSettings(options),
    // A client's certificate is not asked for: its key and token are its identity.
    tls: tls === undefined ? undefined : tlsSettings(tls),
    client_advertise: options.client.advertise,
    operator: options.operatorJwt,
    system_account: options.systemAccount,
    resolver: {
      type: 'full',
      dir: options.resolverDir,
      allow_delete: true,
      interval: '2m',
      timeout: '3s',
    },
    resolver_preload: preload(options.accounts),
    jetstream: {
      ...jetStreamSettings(HUB_DOMAIN, options.jetstream),
      limits: { default_max_consumers: MAX_CONSUMERS_PER_STREAM },
    },
    leafnodes: leafSettings(options.leaf),
    cluster: options.cluster === undefined ? undefined : clusterSettings(options.cluster),
  });
}

function preload(accounts: Readonly<Record<string, string>>): ConfBlock {
  for (const account of Object.keys(accounts)) {
    if (!isPublicKey('account', account))
      throw new Error(`not an account to preload: ${account.slice(0, 80)}`);
  }
  return accounts;
}

function leafSettings(leaf: HubConfigOptions['leaf']): ConfBlock {
  return {
    listen: listenText(leaf),
    // Sites dial the names that they were given: addresses of the hub's own network are of no use to them.
    no_advertise: true,
    // Else each site is told what every other subscribes to.
    isolate_leafnode_interest: true,
    compression: 'off',
    authorization: { timeout: LEAF_HANDSHAKE_TIMEOUT_S },
    tls: { ...tlsSettings(leaf.tls), verify: true, timeout: LEAF_HANDSHAKE_TIMEOUT_S },
  };
}

function clusterSettings(cluster: NonNullable<HubConfigOptions['cluster']>): ConfBlock {
  const { handshake_first: _clientsOnly, ...tls } = tlsSettings(cluster.tls);
  return {
    name: requireName('cluster name', cluster.name),
    listen: listenText(cluster),
    advertise: cluster.advertise,
    routes: cluster.routes,
    tls: { ...tls, verify: true, timeout: 5 },
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
