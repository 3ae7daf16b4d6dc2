import { LIMITS } from '@skerry/contracts';
import { at, NOW, token } from '../site-operations/access.suite.js';
import { accessFor, ACCESS_RENEW_MS, ACCESS_VALID_MS } from './access.js';
import { site } from './examples.suite.js';

describe('what a site knows of who may act there', () => {
  const input = {
    site: site('s1'),
    quotas: [],
    projects: new Set(['shop']),
    tokens: [token('aaaaaaaa')],
    there: undefined,
    nowMs: NOW,
  };

  it('is delivered when it is new, when it changed, and anew every hour', () => {
    const first = accessFor(input);
    expect(first?.tokens.map((t) => t.id)).toEqual(['aaaaaaaa']);
    expect(Date.parse(first?.validUntil ?? '') - NOW).toBe(ACCESS_VALID_MS);
    const later = { ...input, there: first, nowMs: NOW + ACCESS_RENEW_MS - 1 };
    expect(accessFor(later)).toBeUndefined();
    expect(accessFor({ ...later, nowMs: NOW + ACCESS_RENEW_MS })).toMatchObject({
      issuedAt: at(ACCESS_RENEW_MS),
    });
    expect(accessFor({ ...later, tokens: [] })).toMatchObject({ tokens: [] });
  });

  it('is newer than what lies there even when this clock is behind', () => {
    const there = accessFor(input);
    const next = accessFor({ ...input, tokens: [], there, nowMs: NOW - 60_000 });
    expect(next?.generation).toBe(NOW + 1);
  });

  it('says nothing of projects that have nothing there, but that there are more', () => {
    const quotas = ['shop', 'bank'].map((project) => ({ kind: 'Quota' as const, project, replicas: 4 }));
    expect(accessFor({ ...input, quotas })).toMatchObject({
      quotas: [{ project: 'shop' }],
      moreQuotas: true,
    });
    const there = accessFor({ ...input, quotas: quotas.slice(0, 1) });
    expect(there?.moreQuotas).toBeUndefined();
    expect(accessFor({ ...input, quotas: quotas.slice(0, 1), there })).toBeUndefined();
    const both = accessFor({ ...input, quotas, projects: new Set(['shop', 'bank']), there });
    expect(both?.quotas.map((q) => q.project)).toEqual(['bank', 'shop']);
  });

  it('fits its bytes, whoever is named how: those who may change most come first', () => {
    const many = Array.from({ length: LIMITS.accessTokens }, (_, i) =>
      token(`v${String(i).padStart(8, '0')}`, { role: 'viewer', subject: 'é'.repeat(128) }),
    );
    const made = accessFor({ ...input, tokens: [...many, token('zzzzzzzz', { role: 'admin' })] });
    expect(Buffer.byteLength(JSON.stringify(made))).toBeLessThan(LIMITS.accessBytes + 2_048);
    expect(made?.tokens[0]).toMatchObject({ id: 'zzzzzzzz' });
    expect(made?.tokens.length).toBeGreaterThan(100);
  });

  it('leaves out tokens that have expired, or cannot sign', () => {
    const tokens = [token('aaaaaaaa', { expiresAt: at(-1) }), token('bbbbbbbb', { offlineKey: undefined })];
    expect(accessFor({ ...input, tokens })?.tokens).toEqual([]);
  });
});
