import { LIMITS, type JournalEntry } from '@skerry/contracts';
import { at } from './access.suite.js';
import { siteReport } from './site-report.js';

describe('the report of a site', () => {
  let n = 0;
  const entry = (what: JournalEntry['what'], ms: number, more: Partial<JournalEntry> = {}): JournalEntry => {
    n += 1;
    return {
      kind: 'JournalEntry',
      id: `entry-${String(n).padStart(12, '0')}`,
      site: 's1',
      node: 'n1',
      at: at(ms),
      class: 'state',
      what,
      ...more,
    };
  };
  const entries = [
    entry('agent-started', 0),
    entry('cut-off', 1_000),
    entry('operation', 2_000, { requestId: 'request-1', by: 'ann', text: 'stop shop/web' }),
    entry('replicas', 3_000, { project: 'shop', name: 'web', counts: { restarts: 2, ended: 2 } }),
    entry('node-lost', 3_500, { text: 'n2' }),
    entry('agent-started', 4_000),
    entry('replicas', 5_000, { project: 'shop', name: 'web', counts: { restarts: 1 } }),
    entry('returned', 6_000),
    entry('change-decided', 6_500, {
      requestId: 'request-1',
      outcome: 'rejected',
      text: 'changed meanwhile',
    }),
    entry('settled', 16_000, { counts: { kept: 3, started: 0, drained: 1 } }),
    entry('replicas', 20_000, { project: 'shop', name: 'web', counts: { restarts: 9 } }),
  ];
  const report = (of: JournalEntry[]) => siteReport('s1', of, { from: 'site', at: at(30_000) });

  it('says what happened while the hub was away, and nothing of what came after', () => {
    expect(report(entries).absences).toEqual([
      {
        from: at(1_000),
        to: at(6_000),
        agentStarts: 1,
        workloads: [{ project: 'shop', name: 'web', restarts: 3, ended: 2 }],
        nodesLost: [{ node: 'n2', at: at(3_500) }],
        replicas: { kept: 3, started: 0, drained: 1 },
        entries: 7,
      },
    ]);
  });

  it('says what became of each change', () => {
    expect(report(entries).changes).toEqual([
      {
        requestId: 'request-1',
        at: at(2_000),
        by: 'ann',
        what: 'stop shop/web',
        state: 'rejected',
        reason: 'changed meanwhile',
      },
    ]);
  });

  it('fits a message, whatever happened: workloads are left out before changes', () => {
    const many = Array.from({ length: 60 }, (_, i) => [
      entry('cut-off', i * 1_000),
      ...Array.from({ length: 120 }, (_w, w) =>
        entry('replicas', i * 1_000 + 1, {
          project: `project-${'p'.repeat(50)}`,
          name: `workload-${'w'.repeat(40)}-${w}`,
          counts: { restarts: 1 },
        }),
      ),
      entry('returned', i * 1_000 + 2),
    ]).flat();
    const changes = Array.from({ length: 300 }, (_, i) =>
      entry('operation', i, { requestId: `request-${i}`, by: 'ann', text: 'é'.repeat(300) }),
    );
    const told = report([...many, ...changes]);
    expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThanOrEqual(LIMITS.siteReportBytes);
    expect(told.changes).toHaveLength(300);
    expect(told.absences).toHaveLength(LIMITS.absencesPerReport);
    expect(told.absences[0]?.workloads.length).toBeGreaterThan(10);
  });

  it('is the same in whatever order entries come, and however often', () => {
    expect(report([...entries.toReversed(), ...entries])).toEqual(report(entries));
  });
});
