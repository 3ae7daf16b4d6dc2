import type { Access } from '@skerry/contracts';
import { accessFor } from '../replication/access.js';
import { site } from '../replication/examples.suite.js';

/** ms since 1970. */
export const NOW = Date.parse('2026-05-01T12:00:00.000Z');
/** So many ms after. */
export const at = (ms: number) => new Date(NOW + ms).toISOString();
const KEY = `U${'B'.repeat(55)}`;
export const token = (id: string, change: object = {}) => ({
  kind: 'ApiToken' as const,
  id,
  secretSha256: '0'.repeat(64),
  offlineKey: KEY,
  subject: 'ann',
  role: 'operator' as const,
  createdAt: at(0),
  expiresAt: at(90 * 86_400_000),
  ...change,
});

/** What site `s1`, in `us`, knows of who may do what there. */
export function access(change: Partial<Access> = {}, quotas: object = { replicas: 4 }): Access {
  const made = accessFor({
    site: { ...site('s1'), jurisdictions: ['us'], labels: { tier: 'edge' } },
    tokens: [token('aaaaaaaa')],
    quotas: [{ kind: 'Quota', project: 'shop', ...quotas }],
    projects: new Set(['shop']),
    there: undefined,
    nowMs: NOW,
  });
  if (made === undefined) throw new Error('nothing was made');
  return { ...made, ...change };
}
