import { describe, expect, it } from '@jest/globals';
import { Refusal, type ErrorCode } from '@skerry/contracts';
import { noting } from './noting.js';
import { RefusalsHere } from './refused-here.js';

const caller = { project: 'shop', name: 'web' };

describe('what a workload may not do with a dataset', () => {
  async function noted(code: ErrorCode, name: string, here: boolean) {
    const refusals = new RefusalsHere();
    const run = async () => await Promise.reject(new Refusal(code, 'because'));
    const asked = { caller, name, what: 'write' as const, missing: () => !here };
    await expect(noting(refusals, asked, run)).rejects.toMatchObject({ code });
    return refusals
      .take()
      .map(({ project, name: of, what, by, why }) => ({ project, name: of, what, by, why }));
  }

  it('is told to the hub, with who it was and why', async () => {
    const told = { project: 'shop', name: 'files', what: 'write', by: 'workload shop/web', why: 'because' };
    expect(await noted('forbidden', 'files', true)).toEqual([told]);
    expect(await noted('not-found', 'files', false)).toEqual([told]);
  });

  it('is not, when what was written is at fault, or nothing can have the name', async () => {
    expect(await noted('too-large', 'files', true)).toEqual([]);
    expect(await noted('not-found', 'files', true)).toEqual([]);
    expect(await noted('not-found', 'No%20such', false)).toEqual([]);
  });
});
