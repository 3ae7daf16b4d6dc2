import { inboxPrefix, LOCAL } from '@skerry/contracts';
import { confText, type ConfBlock } from './conf-text.js';
import { requirePublicKey } from './nkey.js';
import {
  LEAF_HANDSHAKE_TIMEOUT_S,
  commonSettings,
  jetStreamSettings,
  requireName,
  tlsSettings,
  type JetStreamBounds,
  type Listen,
  type TlsFiles,
} from './server-options.js';

/** Most hub addresses that a site is given. */
export const MAX_LEAF_URLS = 16;

/** A site's own server. */
export interface SiteConfigOptions {
  /** Site id; also the server's name and its JetStream domain. */
  site: string;
  client: Listen & { tls?: TlsFiles };
  monitoring?: Listen;
  jetstream: JetStreamBounds;
  /** Public keys of the users that this server knows by itself, so that they log in with no hub. */
  users: {
    /** Full use of the site's account; one for each node where there are several. */
    agent: string | readonly string[];
    /** For people at the site: reads everything there, writes nothing. */
    reader?: string;
    /** For people at the site who act by asking its agents (`skerry --site`): may ask, and hear the answers. */
    operator?: string;
    /** Use of the account that is bound to nothing, for what must never leave; agents, for the applications there. */
    local?: string | readonly string[];
  };
  /**
   * Public key (of an account's kind) that agents sign with whom they let in as an application. Asks for a user in `local`: of
   * several agents the first. Absent: only the users above log in. A server that runs takes no other value by a reload.
   */
  logins?: string;
  /** The one connection to the hub. `caFile` is the hub servers' authority. */
  leaf: {
    /** `tls://host:port`, tried in random order. */
    urls: readonly string[];
    /** Creds file of the site's user; read again at each connect. */
    credsFile: string;
    tls: TlsFiles;
  };
  /** One server of a site's cluster of three: each has a name of its own, all know each other. Absent: the only one. */
  cluster?: { server: string; listen: Listen; routes: readonly string[]; password: string };
  pidFile?: string;
  logFile?: string;
}

/**
 * Configuration of a site's server. Accounts: `SITE`, bound to the hub by the one leaf connection; `LOCAL`,
 * bound to nothing; `SYS`, not bridged. Throws for a value that cannot be right, naming it.
 */
export function siteConfig(options: SiteConfigOptions): string {
  const site = requireName('site', options.site);
  const { agent, reader, operator, local = [] } = options.users;
  const locals = typeof local === 'string' ? [local] : local;
  return confText({
    ...commonSettings({ ...options, serverName: options.cluster?.server ?? site }),
    cluster: options.cluster && clusterOf(site, options.cluster),
    tls: options.client.tls === undefined ? undefined : tlsSettings(options.client.tls),
    jetstream: jetStreamSettings(site, options.jetstream),
    authorization: options.logins === undefined ? undefined : callout(options.logins, locals),
    accounts: {
      SYS: { users: [], ...(options.logins === undefined ? {} : { exports: [KICK_EXPORT] }) },
      SITE: {
        jetstream: 'enabled',
        users: [
          ...(typeof agent === 'string' ? [agent] : agent).map(user),
          ...(reader === undefined ? [] : [{ ...user(reader), permissions: READER }]),
          ...(operator === undefined ? [] : [operatorUser(operator)]),
        ],
      },
      LOCAL: {
        jetstream: 'enabled',
        users: locals.map(user),
        ...(options.logins === undefined ? {} : { imports: [KICK_IMPORT] }),
      },
    },
    system_account: 'SYS',
    leafnodes: { reconnect: '1s', remotes: [remote(site, options.leaf)] },
  });
}

/** Agents end the connections of replicas that have ended. */
const KICK = '$SYS.REQ.SERVER.*.KICK';
const KICK_EXPORT: ConfBlock = { service: KICK, accounts: ['LOCAL'] };
const KICK_IMPORT: ConfBlock = { service: { account: 'SYS', subject: KICK } };

/**
 * Logins that no user above has are for the agents to decide, which know their replicas' tokens. What `auth_callout` says cannot be
 * changed while the server runs, and then nothing else is either; so it must not name what changes. Agents are users of an account
 * that is not left to them (those are `allowed_accounts`; users of none always are), and need no mention among `auth_users`.
 */
function callout(issuer: string, [first]: readonly string[]): ConfBlock {
  requirePublicKey('account', issuer);
  if (first === undefined)
    throw new Error('logins: nobody is there to decide them; name an agent in `local`');
  return { auth_callout: { issuer, auth_users: [first], account: 'LOCAL', allowed_accounts: ['SYS'] } };
}

/** The entry of the user `operator` among those of `SITE`, for a configuration that was made without it. */
export function siteOperatorEntry(publicKey: string): string {
  const list = confText({ users: [operatorUser(publicKey)] });
  return list.slice(list.indexOf('\n') + 1, list.lastIndexOf(']'));
}

function operatorUser(publicKey: string): ConfBlock {
  return { ...user(publicKey), permissions: OPERATOR };
}

/** Routes between the servers of one site carry a password: nobody else may take part in what they keep. */
function clusterOf(site: string, cluster: NonNullable<SiteConfigOptions['cluster']>): ConfBlock {
  const { listen, routes, password } = cluster;
  return {
    name: site,
    listen: `${listen.host}:${listen.port}`,
    authorization: { user: 'route', password },
    routes: routes.map((at) => `nats://route:${password}@${at}`),
  };
}

/** Reads the site's buckets and streams and listens; its answers come to an inbox of its own. */
const READER: ConfBlock = {
  publish: {
    allow: [
      '$JS.API.INFO',
      '$JS.API.STREAM.INFO.*',
      '$JS.API.STREAM.LIST',
      '$JS.API.STREAM.NAMES',
      '$JS.API.DIRECT.GET.>',
      '$JS.API.STREAM.MSG.GET.*',
      '$JS.API.CONSUMER.INFO.>',
      '$JS.API.CONSUMER.LIST.*',
      '$JS.API.CONSUMER.NAMES.*',
    ],
  },
  subscribe: { allow: ['_INBOX_reader.>', 'local.>', 'dl.>'] },
};

/** Asks agents, who check the request itself: this user alone may do nothing. */
const OPERATOR: ConfBlock = {
  publish: { allow: [LOCAL.operations] },
  subscribe: { allow: [`${inboxPrefix(LOCAL.user)}.>`] },
};

function user(publicKey: string): ConfBlock {
  requirePublicKey('user', publicKey);
  return { nkey: publicKey };
}

function remote(site: string, leaf: SiteConfigOptions['leaf']): ConfBlock {
  if (leaf.urls.length === 0 || leaf.urls.length > MAX_LEAF_URLS) {
    throw new Error(`a site needs 1 to ${MAX_LEAF_URLS} hub addresses, not ${leaf.urls.length}`);
  }
  return {
    urls: leaf.urls.map(leafUrl),
    account: 'SITE',
    credentials: leaf.credsFile,
    first_info_timeout: `${LEAF_HANDSHAKE_TIMEOUT_S}s`,
    compression: 'off',
    // The hub cannot drive the site's JetStream or write its buckets; `local.>` does not leave.
    deny_imports: ['$JS.API.>', `$JS.${site}.API.>`, '$KV.>', '$OBJ.>', 'local.>'],
    deny_exports: ['local.>'],
    tls: tlsSettings(leaf.tls),
  };
}

/** A server's address and nothing else: no user, path or query could be meant. */
function leafUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'tls:' || url.hostname === '' || url.port === '') throw notALeafUrl(text);
  if (url.href !== `tls://${url.host}` && url.href !== `tls://${url.host}/`) throw notALeafUrl(text);
  return `tls://${url.host}`;
}

function notALeafUrl(text: string): Error {
  return new Error(`not a hub address: ${JSON.stringify(text.slice(0, 200))}; wanted is tls://host:port`);
}
