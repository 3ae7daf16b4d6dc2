import { NKey } from './nkey.js';
import { hubServerConfig, type HubPlan } from './production-hub.js';
import { siteConfig } from './site-config.js';

/** The hub of the examples: three servers in three places. */
export const EXAMPLE_PLAN: HubPlan = {
  name: 'skerry',
  servers: ['h1', 'h2', 'h3'].map((name) => ({ name: `nats-${name}`, host: `${name}.hub.example.org` })),
};
const SITE_FOLDER = '/var/lib/skerry-site';
const GIB = 1_024 ** 3;

/** The example configurations under deploy/, by path; made by the same functions as the real ones, with marks for keys and claims. */
export function exampleConfigs(): ReadonlyMap<string, string> {
  const [system, cloud] = [NKey.create('account').publicKey, NKey.create('account').publicKey];
  const claims = {
    operatorJwt: '<identity/operator.jwt>',
    systemAccount: system,
    accounts: { [system]: '<identity/sys.jwt>', [cloud]: '<identity/cloud.jwt>' },
  };
  const marked = (text: string): string =>
    text.replaceAll(system, '<key of the account SYS>').replaceAll(cloud, '<key of the account CLOUD>');
  const hub = EXAMPLE_PLAN.servers.map((server): [string, string] => [
    `deploy/hub/examples/${server.name}.conf`,
    marked(hubServerConfig(EXAMPLE_PLAN, server, claims)),
  ]);
  return new Map([...hub, ['deploy/site/examples/leaf.conf', exampleSite()]]);
}

function exampleSite(): string {
  const [agent, local] = [NKey.create('user').publicKey, NKey.create('user').publicKey];
  const logins = NKey.create('account').publicKey;
  const tls = {
    certFile: `${SITE_FOLDER}/tls/leaf.crt`,
    keyFile: `${SITE_FOLDER}/tls/leaf.key`,
    caFile: `${SITE_FOLDER}/tls/ca.crt`,
  };
  const text = siteConfig({
    site: 'eu-de',
    client: { host: '127.0.0.1', port: 4222 },
    monitoring: { host: '127.0.0.1', port: 8222 },
    jetstream: { storeDir: `${SITE_FOLDER}/jetstream`, maxMemoryBytes: GIB / 8, maxFileBytes: 4 * GIB },
    users: { agent, local },
    logins,
    leaf: {
      urls: EXAMPLE_PLAN.servers.map(({ host }) => `tls://${host}:7422`),
      credsFile: `${SITE_FOLDER}/leaf.creds`,
      tls,
    },
  });
  return text
    .replaceAll(agent, '<key of agent.seed>')
    .replaceAll(local, '<key of local.seed>')
    .replaceAll(logins, '<key of logins.seed>');
}
