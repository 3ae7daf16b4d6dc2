import { expect } from '@jest/globals';
import { BUCKETS, problemSchema, workloadSchema, type Problem } from '@skerry/contracts';
import type { ApiCloud } from './api-cloud.js';

export const YAML = { 'content-type': 'text/yaml' };

/** What was refused, and why; fails when nothing was. */
export async function problemOf(answer: Response): Promise<Problem> {
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return problemSchema.parse(await answer.json());
}

/** Sends documents as an admin. */
export function apply(
  cloud: ApiCloud,
  body: string | Uint8Array,
  headers: Record<string, string> = YAML,
): Promise<Response> {
  return cloud.fetch('/v1/apply', { method: 'POST', headers, body });
}

/** What is committed under a name, looked up past the api. */
export async function committed(cloud: ApiCloud, name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.workloads, (value) => workloadSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}
