import type { Assignment, CommandBody, Workload, WorkloadDocument } from '@skerry/contracts';
import { aroundOf, changeOf } from './apply.js';
import { contradictions } from './contradictions.js';
import { datasetUseIssues } from './dataset-uses.js';
import { declaredRest } from './declared-rest.js';
import { demandOf } from './demand.js';
import { overQuota } from './quota.js';
import { applied, superseded } from './sequence.js';
import {
  NO_WRITES,
  rejected,
  type Admission,
  type AdmissionRequest,
  type AdmissionState,
  type AdmissionTools,
  type Rejected,
} from './types.js';

type Recover = Extract<CommandBody, { verb: 'workload.recover' }>;

/** For so long other sites may say that they hold it too: they find a restored hub again within a second or two of each other. */
export const RECOVERY_GATHERS_MS = 5_000;

/**
 * Takes up again what a site holds and the hub does not know, since it was restored from an older backup: as it was admitted
 * once, at that generation. Of several sites the highest generation counts, and where it runs is put together. What the hub
 * knows is not touched.
 */
export function admitRecover(
  body: Recover,
  request: AdmissionRequest,
  state: AdmissionState,
  tools: AdmissionTools,
): Admission {
  const { project, name } = body.document.metadata;
  const known = state.workload(project, name);
  if (known && applied(known, request.command.requestId))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'created')] };
  const found = recovered(body, known, { request, tools });
  const refused =
    refuseUnproven(body, found, tools) ?? refuseKnown(known, request) ?? refuseSingle(body.document);
  if (refused) return refused;
  if (known && sameAs(known, found))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'unchanged')] };
  const issues = issuesOf(found, body.document, { request, state, tools });
  if (issues.length > 0)
    return rejected('invalid', `${project}/${name} obeys the rules here no more`, {
      issues,
      hint: `it goes on at ${body.at.site}: mend what is named and apply it, or stop it there`,
    });
  return {
    ok: true,
    writes: { ...NO_WRITES, workloads: [found] },
    changes: [changeOf(found, known ? 'updated' : 'created')],
  };
}

/** The document that an assignment is of, not looked at yet; undefined when it is of a hub that did not say. */
export function documentOf(held: Assignment): unknown {
  const { project, name, type, cron, run, resources, health, data, update, declared } = held;
  if (declared === undefined) return undefined;
  const rest = declaredRest(declared.rest);
  const spec = {
    type,
    cron,
    run,
    resources,
    health,
    data,
    update,
    placement: rest['placement'],
    daemon: rest['daemon'],
  };
  const said = Object.entries(spec).filter(([, value]) => value !== undefined);
  const metadata = { project, name, labels: rest['labels'] };
  return { apiVersion: 'skerry/v1', kind: 'Workload', metadata, spec: Object.fromEntries(said) };
}

function recovered(
  { document: { metadata, spec }, generation, at }: Recover,
  known: Workload | undefined,
  { request, tools }: { request: AdmissionRequest; tools: AdmissionTools },
): Workload {
  const before = known?.recovered;
  const from = [...(before?.from.filter(({ site }) => site !== at.site) ?? []), at];
  const until = before?.until ?? new Date(Date.parse(request.now) + RECOVERY_GATHERS_MS).toISOString();
  const told = {
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
    recovered: { from: from.toSorted((a, b) => (a.site < b.site ? -1 : 1)), until },
  };
  if (known && known.generation >= generation) return { ...known, ...told };
  return {
    kind: 'Workload',
    project: metadata.project,
    name: metadata.name,
    labels: metadata.labels,
    generation,
    spec,
    specDigest: tools.digest(spec),
    demand: demandOf(spec.placement.users, tools.locate).points,
    stopped: false,
    removed: false,
    createdAt: known?.createdAt ?? request.now,
    ...told,
  };
}

function refuseUnproven(
  { document: { metadata, spec }, generation, warrant }: Recover,
  { project, name }: Workload,
  tools: AdmissionTools,
): Rejected | undefined {
  const { labels } = metadata;
  const said = { project, name, generation, labels, specDigest: tools.digest(spec) };
  if (tools.warranted?.(said, warrant) === true) return undefined;
  return rejected(
    'forbidden',
    `nothing shows that ${project}/${name} was admitted here as it is held there`,
    {
      hint: 'the keys of policy may be others than before: apply it again if it is wanted',
    },
  );
}

function refuseKnown(known: Workload | undefined, request: AdmissionRequest): Rejected | undefined {
  if (known === undefined) return undefined;
  const { project, name, generation, removed } = known;
  if (known.recovered === undefined) {
    const as = removed ? 'removed' : `at generation ${generation}`;
    return rejected('conflict', `${project}/${name} is known here, ${as}`, {
      hint: 'what was decided here counts',
    });
  }
  if (!superseded(known, request.sequence)) return undefined;
  return rejected('conflict', `superseded: a newer command has changed ${project}/${name}`);
}

/** It may own elsewhere what there is one of. */
function refuseSingle({ metadata: { project, name }, spec }: WorkloadDocument): Rejected | undefined {
  if (spec.type !== 'singleton') return undefined;
  return rejected(
    'conflict',
    `${project}/${name} is a singleton: whether another site owns it is not known`,
    {
      hint: 'apply it again if it is wanted; it goes on where it is as long as its site holds its lease',
    },
  );
}

function sameAs(known: Workload, found: Workload): boolean {
  const where = ({ recovered: told }: Workload) => JSON.stringify(told?.from);
  return known.generation === found.generation && where(known) === where(found);
}

function issuesOf(
  found: Workload,
  document: WorkloadDocument,
  { request, state, tools }: { request: AdmissionRequest; state: AdmissionState; tools: AdmissionTools },
) {
  const { project, name, spec } = found;
  const dataset = (of: string) => {
    const known = state.dataset(project, of);
    return known === undefined || known.removed ? undefined : known.spec;
  };
  return [
    ...demandOf(spec.placement.users, tools.locate).issues,
    ...contradictions({ project, name, spec }, aroundOf([document], request, state)),
    ...datasetUseIssues({ project, name, spec }, { dataset, sites: () => state.sites() }),
    ...overQuota([found], state),
  ];
}
