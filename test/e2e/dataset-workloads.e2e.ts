import { afterAll, beforeAll, describe } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { clientOf } from '@skerry/local';
import { allReady, plainSite, startCloud, type CloudUnderTest } from './cloud-under-test.js';
import { workloadsWithData } from './dataset-workloads.suite.js';
import { runSkerry } from './skerry-command.js';

describe('workloads that use datasets, at three sites, one of them abroad', () => {
  let under: CloudUnderTest;
  let client: SkerryClient;
  beforeAll(async () => {
    const sites = [plainSite('one'), plainSite('two'), plainSite('far', { jurisdictions: ['us'] })];
    const env = { SKERRY_HUB_JURISDICTIONS: 'eu,us' };
    under = await startCloud({ sites, env });
    client = await clientOf(under.cloud);
    await allReady(under);
  }, 120_000);
  afterAll(async () => await under?.end(), 60_000);

  workloadsWithData({
    client: () => client,
    skerry: async (...args) => await runSkerry(under, args),
  });
});
