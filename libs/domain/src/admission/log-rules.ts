import { LIMITS, type DatasetSpec, type EdgeRule, type Issue } from '@skerry/contracts';
import { originOf } from '../datasets/origin/areas.js';

/** What speaks against what is said of a log, or against saying it of another dataset. */
export function logIssues(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  if (spec.type !== 'log') {
    return spec.log === undefined
      ? []
      : [{ path: 'spec.log', problem: 'not allowed', allowed: 'only with type: log' }];
  }
  return [
    ...notOfLogs(spec),
    ...edgeIssues(spec),
    ...flowIssues(spec, before),
    ...areaIssues(spec),
    ...sealingIssues(spec),
  ];
}

function notOfLogs({ conflicts, limits }: DatasetSpec): Issue[] {
  const issues: Issue[] = [];
  if (conflicts !== 'newest')
    issues.push({
      path: 'spec.conflicts',
      problem: 'not allowed',
      value: conflicts,
      allowed: 'none with type: log, whose entries are only ever added',
    });
  if (limits.bytes < LIMITS.logMinBytes)
    issues.push({
      path: 'spec.limits.bytes',
      problem: 'too small',
      value: String(limits.bytes),
      allowed: `at least ${LIMITS.logMinBytes} with type: log (limit logMinBytes)`,
    });
  return issues;
}

function edgeIssues({ log }: DatasetSpec): Issue[] {
  if (log?.flow !== 'broadcast' || log.edge === undefined) return [];
  return [
    {
      path: 'spec.log.edge',
      problem: 'not allowed',
      allowed: 'only with flow: collect or mesh, whose entries are written at sites',
    },
  ];
}

/** Who writes cannot change under what was written. */
function flowIssues({ log }: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  const [now, then] = [log?.flow ?? 'collect', before?.log?.flow ?? 'collect'];
  if (before?.type !== 'log' || now === then) return [];
  const allowed = `${then}: it cannot change while there are entries; remove the dataset and make it again`;
  return [{ path: 'spec.log.flow', problem: 'changed', value: now, allowed }];
}

const ORIGIN = 'spec.residency.origin';

/** What cannot be of entries that stay in the area where they were written. */
function areaIssues({ log, residency }: DatasetSpec): Issue[] {
  const rule = originOf(residency);
  const flow = log?.flow ?? 'collect';
  if (rule === undefined) return [];
  if (flow === 'broadcast')
    return [
      {
        path: ORIGIN,
        problem: 'not allowed with log.flow: broadcast, whose entries are written at the centre, in no area',
        allowed: 'log.flow: collect or mesh; or stay, which holds for all entries alike',
      },
    ];
  if (rule.elsewhere === 'nothing') return [];
  const path = `${ORIGIN}.elsewhere`;
  if (flow === 'collect') {
    const problem = 'not allowed with log.flow: collect, whose entries no other site gets';
    return [{ path, problem, allowed: 'nothing; or log.flow: mesh' }];
  }
  const { keep } = rule.elsewhere;
  const fields = log?.edge === undefined ? undefined : fieldsMadeBy(log.edge);
  if (fields === undefined || keep.some((field) => fields.includes(field))) return [];
  const has = fields.length === 0 ? 'numbers, without fields' : `objects of ${fields.join(', ')}`;
  const problem = `by log.edge entries are ${has}: nothing of them is kept`;
  return [{ path, problem, value: keep.join(', '), allowed: 'nothing; or fields that entries have' }];
}

/** The fields of entries that the edge makes, or asks for none of; undefined: those of what is written. */
function fieldsMadeBy(edge: EdgeRule): string[] | undefined {
  switch (edge.keep) {
    case 'windows':
      return [...(edge.by === undefined ? [] : ['sensor']), 'from', 'to', 'count', 'min', 'max', 'mean'];
    case 'changes':
      return edge.deadband !== undefined && edge.of === undefined && edge.by === undefined ? [] : undefined;
    case 'one-in':
      return undefined;
  }
}

/** The centre has no keys: it neither seals what it writes nor reads what is sealed. */
function sealingIssues({ log, encryption }: DatasetSpec): Issue[] {
  const flow = log?.flow ?? 'collect';
  if (encryption === undefined || flow === 'mesh') return [];
  const why =
    flow === 'collect'
      ? 'is read at the centre, which could not read it'
      : 'is written at the centre, in clear';
  const problem = `not allowed with log.flow: ${flow}, which ${why}`;
  return [{ path: 'spec.encryption', problem, allowed: 'log.flow: mesh, written and read at sites alone' }];
}
