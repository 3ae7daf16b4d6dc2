import { describe, expect, test } from '@jest/globals';
import { decodeJwt, mintJwt, verifyJwt, type JwtRequest } from './jwt.js';
import { NKey } from './nkey.js';

const AT = Date.UTC(2026, 0, 1);
const account = NKey.create('account');
const user = NKey.create('user');
const base: JwtRequest = {
  name: 'eu-de',
  kind: 'user',
  subject: user.publicKey,
  issuer: account,
  nats: { subs: -1 },
  issuedAtMs: AT,
};

describe('tokens', () => {
  test('say what was asked for, and hold while they last', () => {
    const token = mintJwt({ ...base, expiresAtMs: AT + 60_000 });
    const check = verifyJwt(token, { nowMs: AT, issuers: [account.publicKey] });
    expect(check).toMatchObject({
      ok: true,
      claims: { name: 'eu-de', kind: 'user', subject: user.publicKey, issuer: account.publicKey },
    });
    expect(check).toMatchObject({ claims: { issuedAtMs: AT, expiresAtMs: AT + 60_000, nats: { subs: -1 } } });
  });

  test('are the same for the same request, and of another id for another', () => {
    expect(mintJwt(base)).toBe(mintJwt(base));
    const ids = [base, { ...base, name: 'other' }].map((request) => idOf(mintJwt(request)));
    expect(new Set(ids).size).toBe(2);
  });

  test('end at their expiry', () => {
    const token = mintJwt({ ...base, expiresAtMs: AT + 60_000 });
    expect(verifyJwt(token, { nowMs: AT + 59_999 })).toMatchObject({ ok: true });
    expect(verifyJwt(token, { nowMs: AT + 60_000 })).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/expired/),
    });
  });

  test('are refused when a bit of them is changed, or when another key signed', () => {
    const [head = '', body = '', signature = ''] = mintJwt(base).split('.');
    const changed = Buffer.from(body, 'base64url').toString().replace('eu-de', 'us-e1');
    const forged = `${head}.${Buffer.from(changed).toString('base64url')}.${signature}`;
    expect(verifyJwt(forged, { nowMs: AT })).toEqual({ ok: false, reason: 'its signature is wrong' });
    const others = mintJwt({ ...base, issuer: NKey.create('account') });
    const trusted = { nowMs: AT, issuers: [account.publicKey] };
    expect(verifyJwt(others, trusted)).toEqual({ ok: false, reason: 'its issuer is not trusted' });
  });

  test('are refused, not thrown at, when they are something else', () => {
    const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url');
    const [, body = ''] = mintJwt(base).split('.');
    const list = Buffer.from('[]').toString('base64url');
    const texts = [
      '',
      '..',
      'a.b.c',
      `${none}.${body}.`,
      `${mintJwt(base)}.x`,
      `${mintJwt(base).split('.')[0]}.${list}.x`,
    ];
    for (const text of [...texts, 'x'.repeat(100_000)]) expect(decodeJwt(text).ok).toBe(false);
  });
});

function idOf(token: string): string {
  const read = decodeJwt(token);
  return read.ok ? read.claims.id : '';
}
