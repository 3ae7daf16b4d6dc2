/**
 * Places of the product that can be broken on purpose, to see that the simulation finds it. Each `find` stands exactly once in
 * its file; `breaks` is the invariant that has to fail.
 *
 * @type {{ name: string, says: string, breaks: string, file: string, edits: [find: string, replace: string][] }[]}
 */
export const MUTATIONS = [
  {
    name: 'no-fence',
    says: 'a scheduler that was stopped commits although another has taken over',
    breaks: 'fenced',
    file: 'apps/scheduler/src/stores/placements.store.ts',
    edits: [
      [
        'await this.bucket.putFenced(keyOf(placement), placement, { key: EPOCH_KEY, revision: fence }, write);',
        'void fence; await this.bucket.set(keyOf(placement), placement, write);',
      ],
    ],
  },
  {
    name: 'break-before-make',
    says: 'what is not wanted any more goes at once',
    breaks: 'last copy',
    file: 'libs/domain/src/placement/handover.ts',
    edits: [
      ['if (leaving.length === 0) return decision;', 'return decision;'],
      ['return gone.map((facts) => ({', 'return gone.slice(gone.length).map((facts) => ({'],
    ],
  },
  {
    name: 'early-hand-over',
    says: 'a singleton is given to a site before the one that had it has ended it',
    breaks: 'singleton',
    file: 'libs/domain/src/replication/differences.ts',
    edits: [['if (waits && !placement.after?.includes(object.site)) continue;', 'void waits;']],
  },
  {
    name: 'no-wall',
    says: 'residency is not looked at',
    breaks: 'residency',
    file: 'libs/domain/src/placement/checks/residency.ts',
    edits: [['if (rule.deny?.some((j) => site.jurisdictions.includes(j))) return false;', '']],
  },
  {
    name: 'older-report',
    says: 'the intake stores what comes, whatever is there',
    breaks: 'reports',
    file: 'apps/inventory/src/stores/reports.store.ts',
    edits: [
      ['if (known !== undefined && !isNewer(age, known.age)) return undefined;', 'void isNewer;'],
      [
        'this.bus.publish(subject, report, { ...options, expect });',
        'this.bus.publish(subject, report, options); void expect;',
      ],
    ],
  },
  {
    name: 'older-object',
    says: 'an agent takes what is older than what it holds',
    breaks: 'versions',
    file: 'apps/agent/src/desired/desired-store.ts',
    edits: [["if (order < 0) return 'older';", '']],
  },
];
