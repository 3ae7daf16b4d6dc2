import { apiTokenSchema, joinTicketSchema, renewRequestSchema } from '@skerry/contracts';
import { describe, expect, test } from '@jest/globals';
import { apiTokenId, checkApiToken, makeApiToken } from './api-token.js';
import { JOIN_TOKEN_LIFETIME_MS, checkJoinToken, joinTokenId, makeJoinToken } from './join-token.js';
import { NKey } from './nkey.js';
import { RENEWAL_WINDOW_MS, checkRenewal, signRenewal } from './renewal.js';

const AT = Date.UTC(2026, 0, 1);

describe('a join token', () => {
  const { token, ticket } = makeJoinToken('eu-de', AT);

  test('is used once, within 15 minutes, and its ticket does not hold its secret', () => {
    expect(joinTicketSchema.parse(ticket)).toEqual(ticket);
    expect(joinTokenId(token)).toBe(ticket.id);
    expect(JSON.stringify(ticket)).not.toContain(token.split('_').slice(2).join('_'));
    expect(checkJoinToken(`${token}\n`, ticket, AT)).toEqual({ ok: true });
    const late = AT + JOIN_TOKEN_LIFETIME_MS;
    expect(checkJoinToken(token, ticket, late - 1)).toEqual({ ok: true });
    expect(checkJoinToken(token, ticket, late)).toEqual({ ok: false, reason: 'expired' });
    const used = { ...ticket, usedAt: new Date(AT).toISOString() };
    expect(checkJoinToken(token, used, AT)).toEqual({ ok: false, reason: 'used' });
  });

  test('of another, with a wrong secret, or of no known id is unknown', () => {
    const other = makeJoinToken('eu-de', AT);
    expect(checkJoinToken(other.token, ticket, AT)).toEqual({ ok: false, reason: 'unknown' });
    const secret = other.token.split('_').slice(2).join('_');
    const mixed = `skj_${ticket.id}_${secret}`;
    expect(checkJoinToken(mixed, ticket, AT)).toEqual({ ok: false, reason: 'unknown' });
    expect(checkJoinToken(token, undefined, AT)).toEqual({ ok: false, reason: 'unknown' });
  });

  test('of another shape is malformed', () => {
    const texts = [
      '',
      'skj_',
      token.slice(0, -1),
      `${token}x`,
      token.replace('skj', 'sky'),
      `${token}\n${token}`,
    ];
    for (const text of texts) {
      expect(checkJoinToken(text, ticket, AT)).toEqual({ ok: false, reason: 'malformed' });
      expect(joinTokenId(text)).toBeUndefined();
    }
  });
});

describe('an api token', () => {
  const request = { subject: 'ana', role: 'operator', nowMs: AT, expiresAtMs: AT + 1_000 } as const;
  const { token, record } = makeApiToken(request);

  test('says who bears it until it expires, and its record does not hold its secret', () => {
    expect(apiTokenSchema.parse(record)).toEqual(record);
    expect(apiTokenId(token)).toBe(record.id);
    expect(JSON.stringify(record)).not.toContain(token.split('_').slice(2).join('_'));
    const actor = { subject: 'ana', role: 'operator' };
    expect(checkApiToken(token, record, AT + 999)).toEqual({ ok: true, actor });
    expect(checkApiToken(token, record, AT + 1_000)).toEqual({ ok: false, reason: 'expired' });
  });

  test('that is forged, unknown or malformed does not count', () => {
    const forged = `sky_${record.id}_${'A'.repeat(43)}`;
    expect(checkApiToken(forged, record, AT)).toEqual({ ok: false, reason: 'unknown' });
    expect(checkApiToken(token, undefined, AT)).toEqual({ ok: false, reason: 'unknown' });
    expect(checkApiToken('Bearer x', record, AT)).toEqual({ ok: false, reason: 'malformed' });
  });
});

describe('a renewal', () => {
  const user = NKey.create('user');
  const request = signRenewal(user, { site: 'eu-de', nowMs: AT, csr: 'CSR' });
  const expected = { site: 'eu-de', userKey: user.publicKey, nowMs: AT };

  test('holds for a minute, either way', () => {
    expect(renewRequestSchema.parse(request)).toEqual(request);
    for (const nowMs of [AT - RENEWAL_WINDOW_MS, AT, AT + RENEWAL_WINDOW_MS]) {
      expect(checkRenewal(request, { ...expected, nowMs })).toEqual({ ok: true });
    }
    for (const nowMs of [AT - RENEWAL_WINDOW_MS - 1, AT + RENEWAL_WINDOW_MS + 1]) {
      expect(checkRenewal(request, { ...expected, nowMs })).toEqual({ ok: false, reason: 'bad-time' });
    }
  });

  test('counts for its site, key, time, nonce and certificate request only', () => {
    const site = { ...expected, site: 'us-east' };
    expect(checkRenewal(request, site)).toEqual({ ok: false, reason: 'other-site' });
    expect(checkRenewal({ ...request, site: 'us-east' }, site)).toEqual({
      ok: false,
      reason: 'bad-signature',
    });
    const userKey = NKey.create('user').publicKey;
    const wrong = { ok: false, reason: 'bad-signature' };
    expect(checkRenewal(request, { ...expected, userKey })).toEqual(wrong);
    const at = new Date(AT + 1).toISOString();
    const { csr: _csr, ...without } = request;
    for (const changed of [
      { ...request, csr: 'OTHER' },
      without,
      { ...request, at },
      { ...request, nonce: 'n' },
    ]) {
      expect(checkRenewal(changed, expected)).toEqual(wrong);
    }
  });

  test('signed for something else does not count', () => {
    const signature = user.sign(request.nonce).toString('base64url');
    expect(checkRenewal({ ...request, signature }, expected)).toEqual({ ok: false, reason: 'bad-signature' });
  });

  test('whose time cannot be read is refused', () => {
    const { csr, ...rest } = signRenewal(user, { site: 'eu-de', nowMs: AT });
    expect(csr).toBeUndefined();
    expect(checkRenewal(rest, expected)).toEqual({ ok: true });
    expect(checkRenewal(rest, { ...expected, nowMs: Number.NaN })).toEqual({ ok: false, reason: 'bad-time' });
  });
});
