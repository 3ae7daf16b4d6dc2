import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SecuredCloud } from './secured-cloud.js';

describe('identity on real servers', () => {
  let cloud: SecuredCloud;
  beforeAll(async () => {
    cloud = await SecuredCloud.start(['aa', 'bb']);
  }, 60_000);
  afterAll(async () => {
    await cloud?.stop();
  });

  test('logs in', async () => {
    expect(await cloud.leafCount()).toBe(2);
    const nc = await cloud.connectCloud('admin');
    expect(nc.info?.server_name).toBe('hub-1');
    const agent = await cloud.connectSite('aa', cloud.site('aa').agent);
    expect(agent.info?.server_name).toBe('aa');
  });
});
