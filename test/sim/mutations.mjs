/**
 * Places of the product that can be broken on purpose, to see that the simulation finds it. Each `find` stands exactly once in
 * its file; `breaks` is the invariant that has to fail, `from` a seed that finds it, or one shortly before. `rare`: one seed in a
 * hundred or less finds it, and any change moves that on; neither `npm test` nor `--mutations` looks for it. `isLong`: it is looked for
 * by `npm run sim -- --mutations`, and not by `npm test`, which has no time for all.
 *
 * @typedef {{ file: string, find: string, replace: string }} Edit
 * @type {{ name: string, says: string, breaks: string, from: number, rare?: boolean, isLong?: boolean, edits: Edit[] }[]}
 */
export const MUTATIONS = [
  {
    name: 'early-hand-over',
    says: 'a singleton is given to a site before the one that had it has ended it',
    breaks: 'singleton',
    from: 35,
    isLong: true,
    edits: [
      {
        file: 'libs/domain/src/replication/differences.ts',
        find: 'if (waits && !placement.after?.includes(object.site)) continue;',
        replace: 'void waits;',
      },
    ],
  },
  {
    name: 'no-wall',
    says: 'residency is not looked at',
    breaks: 'residency',
    from: 9,
    edits: [
      {
        file: 'libs/domain/src/placement/checks/residency.ts',
        find: 'if (rule.deny !== undefined && isIn(site, rule.deny)) return false;',
        replace: '',
      },
    ],
  },
  {
    name: 'no-fence',
    says: 'what a scheduler that was overtaken has sent is stored all the same',
    breaks: 'fenced',
    from: 18,
    edits: [
      {
        file: 'libs/bus/src/fenced-writes.ts',
        find: 'i === 0 ? { ...item, expect: fence } : item',
        replace: 'i === 0 && fence.sequence < 0 ? { ...item, expect: fence } : item',
      },
    ],
  },
  {
    name: 'break-before-make',
    says: 'what replaces a healthy copy need not be healthy, and the lint of plans does not mind',
    breaks: 'last copy',
    from: 55,
    isLong: true,
    edits: [
      {
        file: 'libs/domain/src/placement/handover.ts',
        find: 'if (leaving.length === 0) return decision;',
        replace: 'if (leaving.length >= 0) return decision;',
      },
      { file: 'libs/domain/src/placement/lint.ts', find: '  lastCopy,\n];', replace: '];' },
    ],
  },
  {
    name: 'older-object',
    says: 'a site takes what was wanted earlier for what is wanted now',
    breaks: 'versions',
    from: 225,
    rare: true,
    edits: [
      {
        file: 'apps/agent/src/desired/desired-store.ts',
        find: "if (order < 0) return 'older';",
        replace: '',
      },
    ],
  },
  {
    name: 'older-report',
    says: 'a report that was long on its way hides a newer one',
    breaks: 'reports',
    from: 22,
    isLong: true,
    edits: [
      {
        file: 'apps/inventory/src/stores/reports.store.ts',
        find: 'if (known !== undefined && !isNewer(age, known.age)) return undefined;',
        replace: 'void isNewer;',
      },
    ],
  },
  {
    name: 'late-start',
    says: 'an agent that stood still starts a singleton with its lease gone',
    breaks: 'singleton',
    from: 77,
    edits: [
      {
        file: 'apps/agent/src/replicas/replica-runner.ts',
        find: "record.phase === 'starting' && !restsAs(assignment, hub) && !rests(workload, hub)",
        replace: "record.phase === 'starting'",
      },
    ],
  },
  {
    name: 'early-node',
    says: 'a node that is lost is taken to have ended its singletons at once',
    breaks: 'singleton',
    from: 2,
    isLong: true,
    edits: [
      {
        file: 'apps/agent/src/control/site-nodes.ts',
        find: '!this.isPresent(name) && performance.now() > leaseOverAt(heardAt)',
        replace: '!this.isPresent(name) && performance.now() > heardAt',
      },
    ],
  },
  {
    name: 'forgotten-request',
    says: 'policy does not look whether a request was answered before',
    breaks: 'outcome',
    from: 3,
    isLong: true,
    edits: [
      {
        file: 'apps/policy/src/handlers/command.handler.ts',
        find: 'if (answered) return done;',
        replace: 'void answered;',
      },
    ],
  },
  {
    name: 'untold',
    says: 'policy writes over what nobody has told yet',
    breaks: 'quiescence',
    from: 31,
    rare: true,
    edits: [
      {
        file: 'apps/policy/src/stores/predecessors.ts',
        find: 'const fresh = all.filter(({ at }) => Date.now() - at < TOLD_BY_THEN_MS);',
        replace: 'const fresh = all.filter(({ at }) => at > Date.now() + TOLD_BY_THEN_MS);',
      },
    ],
  },
  {
    name: 'answered-in-part',
    says: 'what a request has changed is answered by what is seen of it at the moment',
    breaks: 'outcome',
    from: 296,
    rare: true,
    edits: [
      {
        file: 'libs/domain/src/admission/apply.ts',
        find: 'readInPart(documents, known, request, tools) ?? replay(',
        replace: 'void readInPart, replay(',
      },
    ],
  },
  {
    name: 'folder-in-parts',
    says: 'policy commits the workloads of one command one after the other',
    breaks: 'folder',
    from: 3,
    isLong: true,
    edits: [
      {
        file: 'apps/policy/src/stores/workloads.store.ts',
        find: 'else if (writes.length > 1) await this.bucket.putAll(writes);',
        replace:
          'else for (const w of writes) await this.bucket.put(w.key, w.value, w.revision, { headers });',
      },
    ],
  },
  {
    name: 'own-clock',
    says: 'a write takes its moment from the machine alone, whatever it has seen',
    breaks: 'stored',
    from: 30011,
    edits: [
      {
        file: 'apps/agent/src/datasets/copy-draft.ts',
        find: 'seen === undefined ? draft.clock : laterStamp(draft.clock, seen)',
        replace: 'draft.clock',
      },
      {
        file: 'apps/agent/src/datasets/copy-draft.ts',
        find: 'if (at !== undefined) draft.clock = laterStamp(draft.clock, at);',
        replace: 'void at;',
      },
    ],
  },
  {
    name: 'early-word',
    says: 'a write is acknowledged before it is on the disk',
    breaks: 'stored',
    from: 12,
    edits: [
      {
        file: 'apps/agent/src/datasets/copy.ts',
        find: 'await this.log.append(lines, { durable: draft.durable });',
        replace: 'await this.log.append(lines, { durable: false });',
      },
    ],
  },
  {
    name: 'copies-anywhere',
    says: 'residency of datasets is not looked at',
    breaks: 'copies',
    from: 3,
    edits: [
      {
        file: 'libs/domain/src/datasets/admit-copies.ts',
        find: 'if (!mayReside(site, wallOf(residency))) {',
        replace: "if (!mayReside(site, wallOf(residency)) && site.name === '') {",
      },
    ],
  },
  {
    name: 'any-home',
    says: 'the hub takes what a site wrote to a dataset whose home is elsewhere by now',
    breaks: 'copies',
    from: 40_017,
    edits: [
      {
        file: 'libs/domain/src/datasets/home.ts',
        find: 'if (holder.site === site && holder.epoch === state.epoch) return undefined;',
        replace: 'if (holder.site !== undefined) return undefined;',
      },
    ],
  },
  {
    name: 'nothing-aside',
    says: 'what a home wrote that was cut off until another had begun is thrown away',
    breaks: 'home',
    from: 40_005,
    isLong: true,
    edits: [
      {
        file: 'apps/agent/src/datasets/copy-home.ts',
        find: 'draft.keys.set(key, { state: { ...word, epoch: 1, at: BEFORE_ALL }, own: 0 });',
        replace:
          'draft.keys.set(key, { state: { ...word, epoch: 1, at: BEFORE_ALL }, own: 0 }); draft.aside.delete(key);',
      },
    ],
  },
  {
    name: 'everlasting',
    says: 'a value is shown for longer than it lives',
    breaks: 'expired',
    from: 60_019,
    isLong: true,
    edits: [
      {
        file: 'libs/domain/src/datasets/states.ts',
        find: 'at[0] + ttlMs <= nowMs',
        replace: 'at[0] + 10 * ttlMs <= nowMs',
      },
    ],
  },
  {
    name: 'any-area',
    says: 'records go to sites of other areas than where they were written',
    breaks: 'areas',
    from: 60_001,
    edits: [
      {
        file: 'libs/domain/src/datasets/origin/given.ts',
        find: 'records.filter(({ origin }) => areaOf(origin) === area)',
        replace: 'records.filter(({ origin }) => areaOf(origin) !== undefined)',
      },
    ],
  },
  {
    name: 'read-twice',
    says: 'a site takes an entry of a log as often as it comes',
    breaks: 'log',
    from: 50_013,
    edits: [
      {
        file: 'libs/domain/src/datasets/logs/continuity.ts',
        find: 'if (to <= last) continue;',
        replace: '',
      },
    ],
  },
  {
    name: 'in-clear',
    says: 'records of an encrypted dataset leave a site as they are',
    breaks: 'sealed',
    from: 70_004,
    edits: [
      {
        file: 'apps/agent/src/datasets/copy-sync.ts',
        find: 'return sealing === undefined ? records : sealing.seal(records, this.copy.origin);',
        replace: 'return sealing === undefined ? records : records;',
      },
    ],
  },
  {
    name: 'old-marks',
    says: 'what sites give each other by a rule of before passes',
    breaks: 'areas',
    from: 60_042,
    isLong: true,
    edits: [
      {
        file: 'apps/replicator/src/handlers/give-copies.handler.ts',
        find: 'if (before !== undefined) this.records.marks.revoke(after);',
        replace: '',
      },
    ],
  },
];
