import { expect } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { recordFilter, storedRecordSchema, STREAMS } from '@skerry/contracts';
import { eventually, type CloudUnderTest } from './cloud-under-test.js';
import { DatasetKeys } from './dataset-keys.js';
import { fetchAsReplica } from './replica-door.js';
import { untilPhase } from './statuses.js';
import { httpService, mockService } from './workloads.js';

const WITHIN = { withinMs: 40_000 };
const [PICKED, NOTICE, VAULT, LEDGER] = [
  dataset('picked', { type: 'keyvalue', copies: { min: 1, max: 1 } }),
  dataset('notice', { type: 'log', log: { flow: 'broadcast' } }),
  dataset('vault', { type: 'keyvalue', encryption: { at: 'site' } }),
  dataset('ledger', { type: 'keyvalue', conflicts: 'single-writer', home: { with: 'keeper' } }),
];

/**
 * A dataset of each kind of which the hub keeps more than what is written in it: where its copies are, what the centre sends out, its
 * keys, who is its home. For a cloud with sites `one` and `two`.
 */
export class BroughtBack {
  private readonly keys = new DatasetKeys(
    async (site, path, init) => await callAt(this.under, { site, path, init }),
  );
  private pickedAt = '';

  constructor(
    private readonly under: CloudUnderTest,
    private readonly client: SkerryClient,
  ) {}

  async make(): Promise<void> {
    await this.client.apply({ documents: [PICKED, NOTICE, VAULT, LEDGER, keeper('one'), reader()] });
    await untilPhase(this.client, 'reader', ['running']);
    await eventually(async () => (this.pickedAt = (await this.chosen())[0] ?? '') || undefined, {
      ...WITHIN,
      what: 'a site is chosen',
    });
    await this.put('picked', 'before', this.pickedAt);
    await this.put('ledger', 'before', 'one');
    await this.reads('ledger', 'before', 'two');
    await this.announce('before');
    await this.hears('before');
    await this.seal('before', 'one');
    await this.keys.until('two', 'vault', 'before', { value: 'before' });
  }

  async areBack(): Promise<void> {
    for (const { metadata } of [PICKED, NOTICE, VAULT, LEDGER]) await this.isBack(metadata.name);
    // Where it was, with what was in it.
    await this.reads('picked', 'before', this.pickedAt);
    await eventually(async () => ((await this.chosen())[0] === this.pickedAt ? true : undefined), {
      ...WITHIN,
      what: 'it is where it was',
    });
    expect(await this.chosen()).toEqual([this.pickedAt]);
    await this.put('picked', 'since', this.pickedAt);
    await this.isAtHub('picked', 'before', 'since');

    await this.announce('since');
    await this.hears('before', 'since');

    await this.seal('since', 'two');
    for (const key of ['before', 'since'])
      for (const site of ['one', 'two']) await this.keys.until(site, 'vault', key, { value: key });
    await this.isAtHub('vault', 'before', 'since');

    // Its singleton does not come back by itself; the home is where that is applied again.
    await this.client.apply({ documents: [keeper('two')] });
    await this.put('ledger', 'since', 'two');
    for (const key of ['before', 'since']) await this.reads('ledger', key, 'one');
  }

  private async isBack(name: string): Promise<void> {
    await eventually(async () => (await this.client.datasetWhere('test', name)).dataset, {
      ...WITHIN,
      what: `${name} is back`,
    });
  }

  private async chosen(): Promise<string[]> {
    const { copies } = await this.client.datasetWhere('test', 'picked');
    return copies.filter((copy) => copy.chosen !== undefined).map(({ site }) => site);
  }

  private async put(name: string, key: string, site: string): Promise<void> {
    const put = { verb: 'put', project: 'test', name, key, value: key } as const;
    await eventually(async () => await this.client.askDataset(put, { site }), {
      ...WITHIN,
      what: `${name} takes ${key} at ${site}`,
    });
  }

  private async reads(name: string, key: string, site: string): Promise<void> {
    const get = { verb: 'get', project: 'test', name, key } as const;
    await eventually(
      async () => {
        const answer = JSON.stringify(await this.client.askDataset(get, { site }));
        return answer.includes(`"value":"${key}"`) ? true : undefined;
      },
      { ...WITHIN, what: `${name} has ${key} at ${site}` },
    );
  }

  /** By a workload: people may not. */
  private async seal(key: string, site: string): Promise<void> {
    await eventually(
      async () => {
        await this.keys.at(site).put('vault', key, key);
        return true;
      },
      { ...WITHIN, what: `vault takes ${key} at ${site}` },
    );
  }

  private async announce(value: string): Promise<void> {
    const append = { verb: 'append' as const, project: 'test', name: 'notice', values: [value] };
    await eventually(async () => await this.client.askLog(append), { ...WITHIN, what: `append ${value}` });
  }

  private async hears(...values: string[]): Promise<void> {
    const tail = { verb: 'tail', project: 'test', name: 'notice', limit: 100, waitMs: 0 } as const;
    await eventually(
      async () => {
        const answer = JSON.stringify(await this.client.askLog(tail, { site: 'one' }));
        return values.every((value) => answer.includes(`"value":"${value}"`)) ? true : undefined;
      },
      { ...WITHIN, what: `${values.join(', ')} at site one` },
    );
  }

  private async isAtHub(name: string, ...keys: string[]): Promise<void> {
    await eventually(
      async () => {
        const stored = await storedOf(this.under, name);
        return keys.every((key) => stored.includes(key)) ? true : undefined;
      },
      { ...WITHIN, what: `${keys.join(', ')} of ${name} at the hub` },
    );
  }
}

function dataset(name: string, spec: object) {
  return { apiVersion: 'skerry/v1', kind: 'Dataset', metadata: { name, project: 'test' }, spec };
}

function keeper(site: string): unknown {
  const service = JSON.parse(JSON.stringify(mockService('keeper', { site })));
  service.spec.type = 'singleton';
  service.spec.data = [{ dataset: 'ledger', access: 'write' }];
  return service;
}

/** At each site a process that may ask there. */
function reader(): unknown {
  const service = JSON.parse(JSON.stringify(httpService('reader')));
  service.spec.type = 'daemon';
  return service;
}

/** Keys of which the hub has records. */
async function storedOf({ admin }: CloudUnderTest, name: string): Promise<string[]> {
  const stored: string[] = [];
  const hear = (message: { json: () => unknown }) => {
    stored.push(storedRecordSchema.parse(message.json()).key);
  };
  const filters = [recordFilter({ project: 'test', name })];
  const following = await admin.follow(STREAMS.REP.name, hear, { filters });
  await following.caughtUp;
  await following.drain();
  return stored;
}

/** As a replica there asks its agent. */
async function callAt(
  under: CloudUnderTest,
  asked: { site: string; path: string; init?: RequestInit | undefined },
): Promise<{ status: number; body: unknown }> {
  const response = await fetchAsReplica(under, asked);
  return { status: response.status, body: await response.json() };
}
