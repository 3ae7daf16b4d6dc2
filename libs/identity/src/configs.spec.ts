import { describe, expect, test } from '@jest/globals';
import { confText } from './conf-text.js';
import { hubConfig, type HubConfigOptions } from './hub-config.js';
import { NKey } from './nkey.js';
import { siteConfig, type SiteConfigOptions } from './site-config.js';

const tls = { certFile: '/t/a.crt', keyFile: '/t/a.key', caFile: '/t/ca.crt' };
const bounds = { storeDir: '/s', maxMemoryBytes: 1, maxFileBytes: 2 };
const system = NKey.create('account').publicKey;
const HUB: HubConfigOptions = {
  serverName: 'hub-1',
  client: { host: '127.0.0.1', port: 4222 },
  operatorJwt: 'o.o.o',
  systemAccount: system,
  resolverDir: '/r',
  accounts: { [system]: 's.s.s' },
  jetstream: bounds,
  leaf: { host: '0.0.0.0', port: 7422, tls },
};
const SITE: SiteConfigOptions = {
  site: 'eu-de',
  client: { host: '127.0.0.1', port: 4222 },
  jetstream: bounds,
  users: { agent: NKey.create('user').publicKey },
  leaf: { urls: ['tls://hub.example.org:7422'], credsFile: '/c', tls },
};

describe('configuration text', () => {
  test('quotes every string, so that none can end itself, add a setting or name a variable', () => {
    const evil = 'x" } system_account: EVIL # $HOME \\';
    const text = confText({ server_name: evil, list: [evil], [evil]: 1 });
    const inside = String.raw`"x\" } system_account: EVIL # $HOME \\"`;
    expect(text).toBe(`server_name: ${inside}\nlist: [\n  ${inside}\n]\n${inside}: 1\n`);
  });

  test('refuses control characters and numbers that are none', () => {
    for (const value of ['a\nb', 'a\rb', 'a\u0000b', 'a\u007fb', Number.NaN, 1.5, Infinity]) {
      expect(() => confText({ value })).toThrow(/control character|whole number/);
    }
  });

  test('leaves out what is not set', () => {
    expect(confText({ a: undefined, b: true, c: {} })).toBe('b: true\nc: {\n}\n');
  });
});

describe('a hub configuration', () => {
  test('asks sites for a certificate of their own authority, under TLS 1.3, before anything is said', () => {
    const { leaf } = sections(hubConfig(HUB));
    expect(leaf).toMatch(/verify: true/);
    expect(leaf).toMatch(/min_version: "1\.3"/);
    expect(leaf).toMatch(/handshake_first: true/);
    expect(leaf).toMatch(/isolate_leafnode_interest: true/);
  });

  test('refuses clients without TLS on an address that others reach', () => {
    expect(() => hubConfig({ ...HUB, client: { host: '0.0.0.0', port: 4222 } })).toThrow(
      /need TLS on 0\.0\.0\.0/,
    );
    expect(hubConfig({ ...HUB, client: { host: '0.0.0.0', port: 4222, tls } })).toMatch(/^tls: \{/m);
  });

  test('refuses ports, names and accounts that are none', () => {
    for (const port of [0, -1, 65_536, 1.5, Number.NaN]) {
      expect(() => hubConfig({ ...HUB, leaf: { ...HUB.leaf, port } })).toThrow(/not a port/);
    }
    expect(() => hubConfig({ ...HUB, serverName: 'hub 1' })).toThrow(/server name/);
    expect(() => hubConfig({ ...HUB, accounts: { x: 'y' } })).toThrow(/not an account/);
    expect(() => hubConfig({ ...HUB, systemAccount: 'SYS' })).toThrow(/NATS account/);
  });
});

describe('a site configuration', () => {
  test('refuses a site name that is not one token', () => {
    for (const site of [
      '',
      'EU',
      'a.b',
      'a b',
      '*',
      '>',
      '-a',
      'a-',
      'a\nb',
      'a"b',
      '../a',
      'a'.repeat(64),
    ]) {
      expect(() => siteConfig({ ...SITE, site })).toThrow(/wanted are 1 to 63/);
    }
  });

  test('refuses hub addresses that are anything else than tls://host:port', () => {
    const wrong = [
      'nats://h:1',
      'tls://h',
      'tls://u:p@h:1',
      'tls://h:1/x',
      'tls://h:1?x',
      'h:1',
      'tls://h:99999',
      '',
    ];
    for (const url of wrong) {
      expect(() => siteConfig({ ...SITE, leaf: { ...SITE.leaf, urls: [url] } })).toThrow(/not a hub address/);
    }
    const urls = Array.from({ length: 17 }, () => 'tls://h:1');
    for (const some of [[], urls]) {
      expect(() => siteConfig({ ...SITE, leaf: { ...SITE.leaf, urls: some } })).toThrow(
        /1 to 16 hub addresses/,
      );
    }
  });

  test('binds SITE alone to the hub, and keeps the hub out of its JetStream', () => {
    const text = siteConfig({ ...SITE, users: { ...SITE.users, local: NKey.create('user').publicKey } });
    expect(text.match(/account: /g)).toHaveLength(2); // The remote's, and `system_account`.
    expect(text).toMatch(/account: "SITE"/);
    for (const subject of ['$JS.API.>', '$JS.eu-de.API.>', '$KV.>', '$OBJ.>'])
      expect(text).toContain(`"${subject}"`);
  });

  test('leaves logins that it does not know to the agents, and names them where a reload may change them', () => {
    const [first, second] = [NKey.create('user').publicKey, NKey.create('user').publicKey];
    const logins = NKey.create('account').publicKey;
    const withLocal = (local: readonly string[]) =>
      siteConfig({ ...SITE, users: { ...SITE.users, local }, logins });
    const authorization = (text: string) => /^authorization: \{[\s\S]*?^\}/m.exec(text)?.[0];
    expect(authorization(withLocal([first]))).toContain(logins);
    // A server that runs refuses another `auth_callout`, and with it whatever else is new.
    expect(authorization(withLocal([first, second]))).toBe(authorization(withLocal([first])));
    expect(withLocal([first, second])).toContain(second);
    expect(authorization(siteConfig(SITE))).toBeUndefined();
    expect(() => withLocal([])).toThrow(/nobody is there to decide/);
    expect(() => siteConfig({ ...SITE, users: { ...SITE.users, local: first }, logins: first })).toThrow(
      /NATS account/,
    );
  });

  test('wants a user key for the agent', () => {
    expect(() => siteConfig({ ...SITE, users: { agent: system } })).toThrow(/NATS user/);
  });
});

function sections(text: string): { leaf: string } {
  return { leaf: /^leafnodes: \{[\s\S]*?^\}/m.exec(text)?.[0] ?? '' };
}
