/**
 * Places of the product that can be broken on purpose, to see that the simulation finds it. Each `find` stands exactly once in
 * its file; `breaks` is the invariant that has to fail.
 *
 * @type {{ name: string, says: string, breaks: string, file: string, edits: [find: string, replace: string][] }[]}
 */
export const MUTATIONS = [
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
];
