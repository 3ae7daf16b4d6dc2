import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiCloud } from './api-cloud.js';
import { statusOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
}, 60_000);
afterAll(() => cloud?.stop());

const YAML = { 'content-type': 'text/yaml' };

describe('apply', () => {
  it("answers policy's outcome, with the trace id of the answer's header", async () => {
    const answer = await cloud.fetch('/v1/apply', { method: 'POST', headers: YAML, body: yamlOf('web') });
    const body: unknown = await answer.json();
    expect({ status: answer.status, body }).toMatchObject({
      status: 200,
      body: {
        ok: true,
        verb: 'workload.apply',
        changes: [{ name: 'web', change: 'created', generation: 1 }],
      },
    });
    expect(answer.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
  });
});
