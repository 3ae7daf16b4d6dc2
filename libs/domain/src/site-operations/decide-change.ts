import {
  isWorkloadObject,
  type Access,
  type Assignment,
  type Desired,
  type Operation,
  type Override,
  type QuotaLimits,
  type SiteChangeAnswer,
  type SiteChangeVerb,
  type Version,
  type WorkloadDocument,
} from '@skerry/contracts';
import { fixedTypeIssues } from '../admission/fixed-type.js';
import { limitsOf } from '../admission/quota.js';
import { rejected, type Rejected } from '../admission/types.js';
import { mayReside } from '../placement/checks/residency.js';
import { labelHolds, labelRulesOf, ruleInWords } from '../placement/label-match.js';
import { replicaRange } from '../placement/replica-range.js';

/** Older than anything that the hub decides: revisions of placements begin at 1. */
export const UNKNOWN_TO_HUB: Version = { term: 1, generation: 1, revision: 0 };

/** What a site holds of one workload. */
export interface HeldAtSite {
  project: string;
  name: string;
  /** What the hub wants; nothing where a local change began it. */
  base?: Desired | undefined;
  override?: Override | undefined;
}

export interface ChangeRequest {
  operation: Extract<Operation, { verb: SiteChangeVerb }>;
  /** Of the request: the change is known by it. */
  id: string;
  by: string;
  at: string;
  access: Access;
  held: (project: string, name: string) => HeldAtSite | undefined;
  /** Everything that is held, for quotas. */
  all: () => Iterable<HeldAtSite>;
}

export type SiteChangeDecision =
  { ok: true; overrides: Override[]; changes: SiteChangeAnswer['changes'] } | Rejected;

/** What a local change puts in place of what the hub wants: all of it or nothing, by the rules that were delivered to the site. */
export function decideSiteChange(request: ChangeRequest): SiteChangeDecision {
  const { operation } = request;
  switch (operation.verb) {
    case 'stop':
      return one(request, operation, stopped);
    case 'start':
      return one(request, operation, started);
    case 'apply':
      return applied(request, operation.documents);
  }
}

/** What is wanted of a workload here, with local changes. */
export function effectiveOf({ base, override }: HeldAtSite): Assignment | undefined {
  const wanted = base?.kind === 'Assignment' ? base : undefined;
  if (override === undefined) return wanted;
  // What the hub has left to this site stands over whatever it decides for the others.
  if (override.alone === true && wanted !== undefined) return { ...wanted, replicas: 0 };
  return override.object;
}

type Next = { object: Assignment } | 'unchanged' | Rejected;

function one(
  request: ChangeRequest,
  ref: { project: string; name: string },
  change: (held: HeldAtSite, now: Assignment) => Next,
): SiteChangeDecision {
  const { project, name } = ref;
  const held = request.held(project, name);
  const now = held && effectiveOf(held);
  if (held === undefined || now === undefined) {
    return rejected('not-found', `nothing of ${project}/${name} is wanted at ${request.access.site}`, {
      hint: `see what is with "skerry --site ${request.access.site} status"`,
    });
  }
  const next = change(held, now);
  if (next === 'unchanged')
    return { ok: true, overrides: [], changes: [{ project, name, change: 'unchanged' }] };
  if ('ok' in next) return next;
  return {
    ok: true,
    overrides: [overrideOf(request, held, next.object)],
    changes: [{ project, name, change: 'changed' }],
  };
}

function stopped(_held: HeldAtSite, now: Assignment): Next {
  return now.replicas === 0 ? 'unchanged' : { object: { ...now, replicas: 0 } };
}

function started({ base, override }: HeldAtSite, now: Assignment): Next {
  if (now.replicas > 0) return 'unchanged';
  const wanted = base?.kind === 'Assignment' ? base.replicas : 0;
  const before = override?.alone === true ? wanted : (override?.replicasBefore ?? wanted);
  if (before > 0) return { object: { ...now, replicas: before } };
  return rejected('conflict', `the hub wants no replica of ${now.project}/${now.name} here`, {
    hint: 'apply its document to run it here until the hub decides',
  });
}

function applied(request: ChangeRequest, documents: readonly WorkloadDocument[]): SiteChangeDecision {
  const { access } = request;
  const looked = documents.map((document) => lookAt(document, request));
  const problems = looked.flatMap(({ issues }) => issues);
  if (problems.length > 0) {
    const wall = problems.find(({ code }) => code === 'residency') ?? problems[0];
    return rejected(
      wall?.code ?? 'invalid',
      `refused at ${access.site}: ${wall?.problem ?? 'not allowed here'}`,
      {
        issues: problems.map(({ path, problem, allowed }) => ({ path, problem, allowed })),
        hint: 'nothing was applied; the rules are those that the hub delivered last',
      },
    );
  }
  const overrides = looked.flatMap(({ override }) => override ?? []);
  const over = overQuota(request, overrides);
  if (over !== undefined) return over;
  return {
    ok: true,
    overrides,
    changes: looked.map(({ document: { metadata }, override }) => ({
      project: metadata.project,
      name: metadata.name,
      change: override === undefined ? ('unchanged' as const) : ('changed' as const),
    })),
  };
}

interface Problem {
  code: 'residency' | 'unplaceable' | 'invalid';
  path: string;
  problem: string;
  allowed: string;
}

interface Looked {
  document: WorkloadDocument;
  issues: Problem[];
  override?: Override;
}

function lookAt(document: WorkloadDocument, request: ChangeRequest): Looked {
  const { project, name } = document.metadata;
  const held = request.held(project, name) ?? { project, name };
  const issues = [...placeProblems(document, request.access), ...typeProblems(document, held)];
  if (issues.length > 0) return { document, issues };
  const object = assignmentOf(document, held, request);
  const now = effectiveOf(held);
  if (now !== undefined && JSON.stringify(now) === JSON.stringify({ ...object, requestId: now.requestId }))
    return { document, issues: [] };
  return { document, issues: [], override: overrideOf(request, held, object) };
}

/** The walls that a document names itself: they hold here as they do for the scheduler. */
function placeProblems({ metadata, spec }: WorkloadDocument, { site, place }: Access): Problem[] {
  const { residency } = spec.placement;
  const problems: Problem[] = [];
  if (!mayReside(place, residency)) {
    problems.push({
      code: 'residency',
      path: `${metadata.name}: spec.placement.residency`,
      problem: `${site} is in ${place.jurisdictions.join(', ') || 'no jurisdiction'}`,
      allowed: [...(residency?.allow ?? []), ...(residency?.deny ?? []).map((j) => `not ${j}`)].join(', '),
    });
  }
  const facets: Readonly<Record<string, string>> = {
    name: place.name,
    kind: place.kind,
    provider: place.provider,
  };
  for (const rule of labelRulesOf(spec.placement)) {
    const value = facets[rule.label] ?? place.labels[rule.label];
    if (labelHolds(rule, value)) continue;
    problems.push({
      code: 'unplaceable',
      path: `${metadata.name}: spec.placement.sites`,
      problem: `${site} has ${rule.label} ${value ?? 'not at all'}`,
      allowed: ruleInWords(rule),
    });
  }
  return problems;
}

/** A type stays; and whether a singleton runs elsewhere is not known here, so nothing of which there is one is begun. */
function typeProblems({ metadata, spec }: WorkloadDocument, held: HeldAtSite): Problem[] {
  const known = effectiveOf(held)?.type;
  const fixed = fixedTypeIssues(spec, known).map(({ path, problem, allowed = '' }): Problem => ({
    code: 'invalid',
    path: `${metadata.name}: ${path}`,
    problem,
    allowed,
  }));
  if (spec.type !== 'singleton' || known !== undefined) return fixed;
  const path = `${metadata.name}: spec.type`;
  const problem = 'a singleton is begun by the hub alone: it may run at another site';
  return [{ code: 'invalid', path, problem, allowed: 'a type that is not single, or wait for the hub' }];
}

function assignmentOf(
  { metadata, spec }: WorkloadDocument,
  held: HeldAtSite,
  request: ChangeRequest,
): Assignment {
  const { base } = held;
  const known = base?.kind === 'Assignment' ? base : undefined;
  const range = replicaRange(spec.placement);
  // Of a workload that other sites run too, this site keeps its share.
  const replicas = known === undefined ? range.min : Math.min(known.replicas, range.max);
  const { run, resources, health, update, type, cron } = spec;
  return {
    kind: 'Assignment',
    site: request.access.site,
    project: metadata.project,
    name: metadata.name,
    version: versionOver(base),
    type,
    ...(cron === undefined ? {} : { cron }),
    replicas,
    run,
    resources,
    ...(health === undefined ? {} : { health }),
    update,
    orphan: known?.orphan ?? 'keep',
    requestId: request.id,
    ...(known === undefined ? {} : carriedOver(known)),
  };
}

/** What the hub says of an assignment beside its spec. */
function carriedOver({ epoch, losses, orphanStopAfterMs, declared }: Assignment): Partial<Assignment> {
  return {
    ...(epoch === undefined ? {} : { epoch }),
    ...(losses === undefined ? {} : { losses }),
    ...(orphanStopAfterMs === undefined ? {} : { orphanStopAfterMs }),
    ...(declared === undefined ? {} : { declared }),
  };
}

function versionOver(base: Desired | undefined): Version {
  return base !== undefined && isWorkloadObject(base) ? base.version : UNKNOWN_TO_HUB;
}

function overrideOf(request: ChangeRequest, held: HeldAtSite, object: Assignment): Override {
  const { base, override } = held;
  const before = override?.replicasBefore ?? effectiveOf(held)?.replicas ?? 0;
  return {
    kind: 'Override',
    site: request.access.site,
    project: held.project,
    name: held.name,
    proposal: request.id,
    verb: request.operation.verb,
    by: request.by,
    at: request.at,
    ...(base !== undefined && isWorkloadObject(base) ? { base: base.version } : {}),
    object,
    ...(object.replicas === 0 && before > 0 ? { replicasBefore: before } : {}),
  };
}

/** What the project would take at this site alone must not pass its quota: the hub checks the rest. */
function overQuota(request: ChangeRequest, overrides: readonly Override[]): Rejected | undefined {
  const changed = new Map(overrides.map((o) => [`${o.project}.${o.name}`, o.object]));
  for (const project of new Set(overrides.map((o) => o.project))) {
    const quota = request.access.quotas.find((q) => q.project === project);
    const held = [...request.all()].filter((h) => h.project === project);
    if (quota === undefined && held.length === 0 && request.access.moreQuotas === true) {
      return rejected(
        'over-quota',
        `nothing of ${project} is at ${request.access.site}, and its quota is not known there`,
        {
          hint: 'begin it at the hub; a site is told the quotas of projects that have something there',
        },
      );
    }
    if (quota === undefined) continue;
    const others = held.flatMap((h) => (changed.has(`${h.project}.${h.name}`) ? [] : (effectiveOf(h) ?? [])));
    const mine = overrides.filter((o) => o.project === project).map((o) => o.object);
    const issues = passed(limitsOf(quota), useOf([...others, ...mine]), project);
    if (issues.length > 0) {
      return rejected(
        'over-quota',
        `${project} would take more at ${request.access.site} alone than its quota`,
        {
          issues,
          hint: 'stop something here, or ask for less',
        },
      );
    }
  }
  return undefined;
}

type Use = Record<'workloads' | 'replicas' | 'cpuMillicores' | 'memoryMiB', number>;

function useOf(objects: readonly Assignment[]): Use {
  const sum = (of: (a: Assignment) => number) => objects.reduce((total, a) => total + of(a), 0);
  return {
    workloads: objects.length,
    replicas: sum((a) => a.replicas),
    cpuMillicores: sum((a) => a.replicas * a.resources.cpuMillicores),
    memoryMiB: sum((a) => a.replicas * a.resources.memoryMiB),
  };
}

function passed(limits: QuotaLimits, use: Use, project: string) {
  const names = ['workloads', 'replicas', 'cpuMillicores', 'memoryMiB'] as const;
  return names.flatMap((name) => {
    const most = limits[name];
    if (most === undefined || use[name] <= most) return [];
    return [
      {
        path: `quota.${project}.${name}`,
        problem: 'over quota',
        value: String(use[name]),
        allowed: `at most ${most}`,
      },
    ];
  });
}
