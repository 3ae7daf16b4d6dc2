import { expect } from '@jest/globals';
import { eventually } from './cloud-under-test.js';

/** As a replica of a site sees `/v1/data/` of its agent, also when the site is cut off. */
export type Call = (
  site: string,
  path: string,
  init?: RequestInit,
) => Promise<{ status: number; body: unknown }>;

/** Keys of datasets as replicas see them; a write that is not taken fails the test. */
export class DatasetKeys {
  constructor(private readonly call: Call) {}

  at(site: string) {
    const call = async (path: string, init?: RequestInit) => await this.call(site, path, init);
    return {
      get: async (name: string, key: string) => await call(`${name}/${key}`),
      put: async (name: string, key: string, value: string) => {
        expect(await call(`${name}/${key}`, { method: 'PUT', body: value })).toMatchObject({ status: 200 });
      },
      post: async (name: string, key: string, change: object) => {
        const answer = await call(`${name}/${key}`, { method: 'POST', body: JSON.stringify(change) });
        expect(answer).toMatchObject({ status: 200 });
      },
    };
  }

  /** Waits until a key of a dataset holds this at a site, at most 15 s. */
  async until(site: string, name: string, key: string, entry: object): Promise<void> {
    let last: unknown;
    await eventually(
      async () => {
        last = (await this.at(site).get(name, key)).body;
        return JSON.stringify(last).includes(JSON.stringify(entry).slice(1, -1)) ? true : undefined;
      },
      { withinMs: 15_000, what: () => `${name}/${key} at ${site}, which is ${JSON.stringify(last)}` },
    );
  }
}
