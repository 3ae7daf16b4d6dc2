import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { eventually } from './cloud-under-test.js';
import { DatasetKeys, type Call } from './dataset-keys.js';
import type { CommandResult } from './skerry-command.js';
import { mockService } from './workloads.js';

/** A cloud with sites `one` and `two`. */
export interface HomesCloud {
  client: SkerryClient;
  call: Call;
  skerry: (...args: string[]) => Promise<CommandResult>;
}

/** Registers the case: the home of a dataset goes with its singleton, under a new epoch, with all that was written before. */
export function homesSuite(cloud: () => HomesCloud): void {
  const keys = () => new DatasetKeys(cloud().call);
  /** What a write is answered, once the site has heard who is home and is not about to be. */
  const put = async (site: string, value: string) =>
    await eventually(
      async () => {
        const answer = await cloud().call(site, 'ledger/k', { method: 'PUT', body: value });
        return NOT_YET.includes(answer.status) ? undefined : answer;
      },
      { withinMs: 20_000, what: `a write at ${site} is answered` },
    );
  const runAt = async (site: string) => await cloud().client.apply({ documents: [LEDGER, keeper(site)] });
  const homeAt = async (site: string) =>
    await eventually(
      async () => {
        const home = (await cloud().client.datasetWhere('test', 'ledger')).homeNow;
        return home?.site === site ? home : undefined;
      },
      { withinMs: 20_000, what: `the home is ${site}` },
    );
  /** Not as it was before it was moved. */
  const runsAt = async (site: string) =>
    await eventually(
      async () => {
        const { status } = await cloud().client.workload('test', 'keeper');
        const there = status?.sites.some((one) => one.site === site && one.running > 0) === true;
        return there && status.phase === 'running' ? true : undefined;
      },
      { withinMs: 20_000, what: `keeper runs at ${site}` },
    );

  it('a home goes with its workload: who wrote refuses and says why, and nothing that it wrote is missing', async () => {
    const { client, skerry } = cloud();
    const alone = await client.apply({ documents: [LEDGER] }).then(
      () => 'admitted',
      (error: unknown) =>
        JSON.stringify(error instanceof Error && 'problem' in error ? error.problem : error),
    );
    expect(alone).toMatch(/spec\.home\.with[^]*no such workload in this command/);
    await runAt('one');
    await runsAt('one');
    const first = await homeAt('one');
    for (let n = 0; n < 8; n += 1) expect(await put('one', `${n}`)).toMatchObject({ status: 200 });
    expect(await put('two', 'x')).toMatchObject({
      status: 409,
      body: { title: expect.stringMatching(/only site one writes test\/ledger [^]*home with keeper/) },
    });
    await runAt('two');
    const second = await homeAt('two');
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await runsAt('two');
    expect((await keys().at('two').get('ledger', 'k')).body).toMatchObject({ entry: { value: '7' } });
    expect(await put('two', 'from two')).toMatchObject({ status: 200 });
    await keys().until('one', 'ledger', 'k', { value: 'from two' });
    expect(await put('one', 'y')).toMatchObject({
      status: 409,
      body: { title: expect.stringContaining('only site two writes') },
    });
    expect((await skerry('data', 'where', 'ledger')).stdout).toContain(
      `home: two in epoch ${second.epoch}, with keeper`,
    );
    const listed = (await client.datasets()).find(({ name }) => name === 'ledger');
    expect(listed).toMatchObject({ homeNow: { site: 'two', epoch: second.epoch } });
    expect(await skerry('data', 'conflicts', 'ledger')).toMatchObject({ code: 0 });
  }, 120_000);
}

/** The site has no copy yet, or nobody writes for the moment. */
const NOT_YET = [404, 503];

const LEDGER = {
  apiVersion: 'skerry/v1',
  kind: 'Dataset',
  metadata: { name: 'ledger', project: 'test' },
  spec: { type: 'keyvalue', conflicts: 'single-writer', home: { with: 'keeper' } },
};

function keeper(site: string): unknown {
  const service = JSON.parse(JSON.stringify(mockService('keeper', { site })));
  service.spec.type = 'singleton';
  service.spec.data = [{ dataset: 'ledger', access: 'write' }];
  return service;
}
