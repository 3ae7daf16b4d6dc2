import { createHash } from 'node:crypto';
import type { SiteFacts } from '@skerry/domain';

/** SHA-256 over the JSON of a value whose parsed order of keys is fixed by its schema. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
}

/** Digest of everything that a decision may read of a site. */
export function siteDigestOf({ site, state }: SiteFacts): string {
  return digestOf([site, state?.phase, state?.since, state?.lastHeartbeatAt, state?.capacity]);
}
