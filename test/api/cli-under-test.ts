import { expect } from '@jest/globals';
import { BUCKETS, workloadSchema } from '@skerry/contracts';
import { ApiCloud, type Ran } from './api-cloud.js';
import { statusOf, yamlOf } from './stand-ins.js';

/** An api with a few workloads in project `shop`, and one of the same name in `bank`. */
export async function startWithApps(): Promise<ApiCloud> {
  const cloud = await ApiCloud.start();
  for (const name of ['web', 'worker', 'web-admin']) cloud.standIns.put(statusOf(name));
  cloud.standIns.put(statusOf('web', { project: 'bank' }));
  await cloud.client().apply({
    sources: [{ name: 'all.yaml', text: ['web', 'worker', 'web-admin'].map((n) => yamlOf(n)).join('---\n') }],
  });
  return cloud;
}

/** What policy has committed of a workload of project `shop`. */
export async function committedIn(cloud: ApiCloud, name: string) {
  const bucket = cloud.bus.bucket(BUCKETS.workloads, (value) => workloadSchema.parse(value));
  return (await bucket.get(`shop.${name}`))?.value;
}

/** A good end: nothing on standard error, and for people the next command at the end. */
export function expectWell(ran: Ran): void {
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' });
  expect(ran.out).toMatch(/\nnext: .+\n$/s);
}
