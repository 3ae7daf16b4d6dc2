import { workloadDocumentSchema, type CommandBody, type UserGroup, type Workload } from '@skerry/contracts';
import * as fc from 'fast-check';
import { admit, claimOf, demandOf, DEMAND_POINTS_PER_WORKLOAD, type AdmissionTools } from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';
const tools: AdmissionTools = {
  digest: (spec) => `sha256:${JSON.stringify(spec)}`,
  locate: (group, most) => ({
    ok: true,
    points: Array.from({ length: group.country === undefined ? 1 : most }, (_, at) => ({
      label: `${group.country ?? group.city} ${at}`,
      lat: at,
      lon: (group.city ?? group.country ?? '').length,
      weight: 1 / (group.country === undefined ? 1 : most),
    })),
  }),
};

const names = fc.constantFrom('a', 'b', 'c');
const bodies: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.uniqueArray(names, { minLength: 1 }).chain((some) =>
    fc.record({
      verb: fc.constant('workload.apply' as const),
      documents: fc.tuple(...some.map((name) => fc.nat(3).map((n) => document(name, n)))),
    }),
  ),
  fc.record({
    verb: fc.constant('workload.scale' as const),
    project: fc.constant('p'),
    name: names,
    replicas: fc.nat(5),
  }),
  fc.record({
    verb: fc.constantFrom('workload.stop' as const, 'workload.start' as const, 'workload.remove' as const),
    project: fc.constant('p'),
    name: names,
  }),
);

function document(name: string, replicas: number) {
  return workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project: 'p' },
    spec: { run: { command: ['x'] }, placement: { replicas } },
  });
}

const QUOTA = 8;

/** Plays commands in the given order of their sequences, each as often as `times` says, and calls `seen` after each. */
function play(
  steps: readonly { body: CommandBody; sequence: number; times: number }[],
  seen: (before: ReadonlyMap<string, Workload>, after: ReadonlyMap<string, Workload>) => void,
): Map<string, Workload> {
  let workloads = new Map<string, Workload>();
  for (const { body, sequence, times } of steps)
    for (let n = 0; n < times; n += 1) {
      const actor = { subject: 's', role: 'admin' as const };
      const command = {
        kind: 'Command' as const,
        requestId: `request-${sequence}`,
        actor,
        sentAt: NOW,
        body,
      };
      const before = workloads;
      const admission = admit(
        { command, sequence, now: NOW },
        {
          workload: (_project, name) => before.get(name),
          site: () => undefined,
          sites: () => [],
          quota: () => ({ kind: 'Quota', project: 'p', replicas: QUOTA }),
          dataset: () => undefined,
          claimsOf: () => [...before.values()].flatMap((w) => claimOf(w) ?? []),
        },
        tools,
      );
      if (admission.ok)
        workloads = new Map([...before, ...admission.writes.workloads.map((w) => [w.name, w] as const)]);
      seen(before, workloads);
    }
  return workloads;
}

const histories = fc.array(fc.record({ body: bodies, times: fc.integer({ min: 1, max: 2 }) }), {
  maxLength: 30,
});

describe('admission, whatever is asked', () => {
  test('a generation rises by one with each change and never falls', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const steps = history.map((step, at) => ({ ...step, sequence: at + 1 }));
        play(steps, (before, after) => {
          for (const [name, workload] of after) {
            const was = before.get(name);
            expect(workload.generation - (was?.generation ?? 0)).toBe(workload === was ? 0 : 1);
          }
        });
      }),
    );
  });

  test('a command delivered twice leaves what it left the first time', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const once = history.map((step, at) => ({ ...step, times: 1, sequence: at + 1 }));
        const often = history.map((step, at) => ({ ...step, times: 2, sequence: at + 1 }));
        const ignore = () => undefined;
        expect(play(often, ignore)).toEqual(play(once, ignore));
      }),
    );
  });

  test('a workload carries the newest sequence that was applied to it, in whatever order commands come', () => {
    const shuffled = histories.chain((history) =>
      fc.shuffledSubarray(
        history.map((step, at) => ({ ...step, sequence: at + 1 })),
        { minLength: history.length },
      ),
    );
    fc.assert(
      fc.property(shuffled, (steps) => {
        play(steps, (before, after) => {
          for (const [name, workload] of after)
            expect(workload.commandSequence).toBeGreaterThanOrEqual(before.get(name)?.commandSequence ?? 0);
        });
      }),
    );
  });

  test('a quota is never passed', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const steps = history.map((step, at) => ({ ...step, sequence: at + 1 }));
        play(steps, (_before, after) => {
          const claims = [...after.values()].flatMap((w) => claimOf(w) ?? []);
          expect(claims.reduce((sum, c) => sum + c.replicas, 0)).toBeLessThanOrEqual(QUOTA);
        });
      }),
    );
  });
});

describe('demand', () => {
  const groups: fc.Arbitrary<UserGroup> = fc.oneof(
    fc.record({
      country: fc.constantFrom('DE', 'JP', 'US'),
      weight: fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
    }),
    fc.record({ city: fc.string({ minLength: 1 }), weight: fc.double({ min: 1e-6, max: 1e9, noNaN: true }) }),
    fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
      weight: fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
    }),
  );

  test('weights add up to 1, each place is there once, and their number is bounded', () => {
    fc.assert(
      fc.property(fc.array(groups, { minLength: 1, maxLength: 256 }), (users) => {
        const { points, issues } = demandOf(users, tools.locate);
        expect(issues).toEqual([]);
        expect(points.reduce((sum, p) => sum + p.weight, 0)).toBeCloseTo(1, 6);
        expect(points.every((p) => p.weight > 0)).toBe(true);
        expect(new Set(points.map((p) => `${p.lat},${p.lon}`)).size).toBe(points.length);
        expect(points.length).toBeLessThanOrEqual(DEMAND_POINTS_PER_WORKLOAD);
      }),
    );
  });

  test('without users there is none', () => {
    expect(demandOf([], tools.locate)).toEqual({ points: [], issues: [] });
  });
});
