import { describe, expect, it } from '@jest/globals';
import { Given, type Need } from './fit.js';

const node = {
  allocatable: { cpuMillicores: 1_000, memoryMiB: 512, diskMiB: 100 },
  drivers: ['process', 'mock'] as const,
};
const need = (given: Partial<Need> = {}): Need => ({
  replicas: 1,
  each: { cpuMillicores: 100, memoryMiB: 64, diskMiB: 0 },
  driver: 'process',
  fixedPorts: [],
  ...given,
});

/** As a node judges `wanted` that has taken on `taken` already. */
function firstMisfit(wanted: Need, on: Parameters<Given['misfit']>[2], taken: readonly Need[]) {
  const given = new Given();
  for (const [i, each] of taken.entries()) given.set(`taken ${i}`, each);
  return given.misfit('wanted', wanted, on);
}

describe('whether an assignment fits on a node', () => {
  it('takes it when everything it needs is free to the last unit', () => {
    expect(firstMisfit(need({ replicas: 8 }), node, [])).toBeUndefined();
    expect(firstMisfit(need({ replicas: 9 }), node, [])).toMatchObject({
      check: 'capacity',
      has: '512 MiB of memory free of 512 MiB',
      needs: '576 MiB',
    });
  });

  it('counts what the node has taken on already', () => {
    expect(firstMisfit(need({ replicas: 5 }), node, [need({ replicas: 4 })])).toMatchObject({
      has: '256 MiB of memory free of 512 MiB',
      needs: '320 MiB',
    });
  });

  it('refuses a driver that is not there', () => {
    expect(firstMisfit(need(), { ...node, drivers: ['mock'] }, [])).toEqual({
      check: 'driver',
      ok: false,
      has: 'mock',
      needs: 'process',
    });
  });

  it('gives a port once', () => {
    const fixed = need({ fixedPorts: ['tcp/80'] });
    expect(firstMisfit(fixed, node, [])).toBeUndefined();
    expect(firstMisfit(fixed, node, [fixed])).toMatchObject({ check: 'ports', needs: 'tcp/80' });
    expect(firstMisfit(need({ replicas: 2, fixedPorts: ['tcp/80'] }), node, [])).toMatchObject({
      check: 'ports',
    });
    expect(firstMisfit(fixed, node, [need({ replicas: 0, fixedPorts: ['tcp/80'] })])).toBeUndefined();
  });

  it('takes an assignment of no replicas anywhere', () => {
    expect(
      firstMisfit(need({ replicas: 0 }), { ...node, drivers: [] }, [need({ replicas: 99 })]),
    ).toBeUndefined();
  });

  it('does not count what it takes itself, nor what was given back', () => {
    const given = new Given();
    given.set('web', need({ replicas: 8 }));
    expect(given.misfit('web', need({ replicas: 8 }), node)).toBeUndefined();
    expect(given.misfit('other', need(), node)).toMatchObject({ has: '0 MiB of memory free of 512 MiB' });
    given.set('web', undefined);
    expect(given.misfit('other', need({ replicas: 8 }), node)).toBeUndefined();
  });
});
