import { describe, expect, test } from '@jest/globals';
import {
  cloudAccountJwt,
  deleteAccountsJwt,
  operatorJwt,
  siteAccountJwt,
  systemAccountJwt,
} from './accounts.js';
import { decodeJwt, verifyJwt } from './jwt.js';
import { NKey } from './nkey.js';

const AT = Date.UTC(2026, 0, 1);
const operator = NKey.create('operator');
const issuer = NKey.create('operator');
const cloud = NKey.create('account').publicKey;
const site = NKey.create('account').publicKey;
const signer = NKey.create('account').publicKey;
const request = { site: 'eu-de', account: site, cloud, issuer, signingKeys: [signer], issuedAtMs: AT };

describe('account claims', () => {
  test('the operator lets its signing keys sign in its stead', () => {
    const system = NKey.create('account').publicKey;
    const signingKeys = [issuer.publicKey];
    const token = operatorJwt({ name: 'x', operator, signingKeys, systemAccount: system, issuedAtMs: AT });
    expect(verifyJwt(token, { nowMs: AT, issuers: [operator.publicKey] })).toMatchObject({ ok: true });
    expect(natsOf(token)).toMatchObject({ signing_keys: signingKeys, system_account: system });
  });

  test('everything that crosses from CLOUD is checked for the account by its position', () => {
    const { exports } = natsOf(cloudAccountJwt({ account: cloud, issuer, issuedAtMs: AT }));
    const list = exports as { subject: string; account_token_position: number }[];
    expect(list.length).toBeGreaterThan(0);
    for (const { subject, account_token_position: position } of list) {
      expect(subject.split('.')[position - 1]).toBe('*');
      expect(subject.split('.').filter((token) => token === '*')).toHaveLength(1);
    }
  });

  test('a site imports only what carries its own account, and has no JetStream at the hub', () => {
    const { imports, limits } = natsOf(siteAccountJwt(request));
    const list = imports as { subject: string; account: string }[];
    expect(list).toHaveLength(5);
    for (const { subject, account } of list) {
      expect(subject.split('.')).toContain(site);
      expect(account).toBe(cloud);
    }
    expect(limits).toMatchObject({ mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0, exports: 0 });
    // With `conn: 0` each later push of claims would kick the leaf.
    expect(limits).toMatchObject({ conn: -1, leaf: 8 });
  });

  test('a suspended site has no leaf, no import, and no token that holds', () => {
    const nats = natsOf(siteAccountJwt({ ...request, suspended: true }));
    expect(nats).toMatchObject({ limits: { leaf: 0, conn: 0 }, revocations: { '*': AT / 1000 } });
    expect(nats).not.toHaveProperty('imports');
    expect(natsOf(siteAccountJwt(request))).not.toHaveProperty('revocations');
  });

  test('a revoked user stays revoked through a suspension and after it', () => {
    const gone = NKey.create('user').publicKey;
    const revocations = { [gone]: AT - 5_500 };
    for (const suspended of [true, false]) {
      const nats = natsOf(siteAccountJwt({ ...request, revocations, suspended }));
      expect(nats).toMatchObject({ revocations: { [gone]: Math.floor((AT - 5_500) / 1000) } });
    }
  });

  test('the system account is not bridged and exports nothing of its own', () => {
    const nats = natsOf(systemAccountJwt({ account: cloud, issuer, issuedAtMs: AT }));
    expect(nats).toMatchObject({ limits: { leaf: 0 } });
    expect(nats).not.toHaveProperty('exports');
  });

  test('accounts are deleted by a token that its issuer signs for itself', () => {
    const token = deleteAccountsJwt({ accounts: [site], issuer, issuedAtMs: AT });
    const claims = { kind: 'generic', subject: issuer.publicKey, nats: { accounts: [site] } };
    expect(decodeJwt(token)).toMatchObject({ ok: true, claims });
  });

  test('keys of the wrong kind are refused', () => {
    const user = NKey.create('user').publicKey;
    expect(() => siteAccountJwt({ ...request, account: user })).toThrow(/NATS account/);
    expect(() => siteAccountJwt({ ...request, cloud: 'CLOUD' })).toThrow(/NATS account/);
    expect(() => siteAccountJwt({ ...request, signingKeys: [user] })).toThrow(/NATS account/);
  });
});

function natsOf(token: string): Readonly<Record<string, unknown>> {
  const read = decodeJwt(token);
  if (!read.ok) throw new Error(read.reason);
  return read.claims.nats;
}
