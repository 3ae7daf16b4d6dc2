import {
  workloadKey,
  type Change,
  type CommandBody,
  type Issue,
  type Workload,
  type WorkloadDocument,
} from '@skerry/contracts';
import { contradictions, type Around } from './contradictions.js';
import { isResidencyIssue } from './dataset-rules.js';
import { datasetUseIssues, type DatasetsAround } from './dataset-uses.js';
import { draftDatasets, type DatasetDrafts } from './datasets.js';
import { refuseDecided } from './decided.js';
import { demandOf } from './demand.js';
import { fixedTypeIssues } from './fixed-type.js';
import { homeIssues } from './home-rules.js';
import { overQuota } from './quota.js';
import {
  NO_WRITES,
  rejected,
  type Admission,
  type AdmissionRequest,
  type AdmissionState,
  type AdmissionTools,
  type Rejected,
} from './types.js';
import { applied, superseded } from './sequence.js';

type Apply = Extract<CommandBody, { verb: 'workload.apply' }>;

/** All documents or none. Every document is looked at before anything is refused. */
export function admitApply(
  body: Apply,
  request: AdmissionRequest,
  state: AdmissionState,
  tools: AdmissionTools,
): Admission {
  const { documents, ifGeneration } = body;
  if (documents.length === 0 && (body.datasets ?? []).length === 0)
    return rejected('invalid', 'nothing to apply: there is no document');
  const known = documents.map((d) => state.workload(d.metadata.project, d.metadata.name));
  const datasets = draftDatasets(body.datasets ?? [], request, state, tools);
  // Datasets are committed first: where a workload is applied, all of the command is.
  if (known.some((w) => applied(w, request.command.requestId)))
    return readInPart(documents, known, request, tools) ?? replay(documents, known, request, datasets);
  const late = known.find((w) => superseded(w, request.sequence));
  if (late) return supersededBy(late);
  if (datasets.late) return datasets.late;
  const asked = documents.map((d, at) => ({ ref: d.metadata, known: known[at] }));
  const wrongGeneration =
    refuseGeneration(ifGeneration, known) ?? refuseDecided(body.decided, request.command.requestId, asked);
  if (wrongGeneration) return wrongGeneration;

  const around = aroundOf(documents, request, state);
  const drafts = documents.map((document, at) => {
    const { project } = document.metadata;
    const uses = { dataset: datasetIn(project, body, state), sites: () => state.sites() };
    return draft(document, known[at], { request, tools, around, uses });
  });
  const issues = [
    ...repeated(documents),
    ...drafts.flatMap((d, at) => prefixed(d.issues, documents, at)),
    ...overQuota(
      drafts.map((d) => d.workload),
      state,
    ),
    ...datasets.issues,
    ...homeIssues(body.datasets ?? [], documents, state),
  ];
  if (issues.length > 0) return refuse(issues);
  return {
    ok: true,
    changes: [...drafts.map((d) => d.change), ...datasets.changes],
    writes: {
      ...NO_WRITES,
      datasets: datasets.writes,
      workloads: drafts.filter((d) => d.change.change !== 'unchanged').map((d) => d.workload),
    },
  };
}

interface Draft {
  workload: Workload;
  change: Change;
  issues: Issue[];
}

function draft(
  { metadata, spec }: WorkloadDocument,
  known: Workload | undefined,
  {
    request,
    tools,
    around,
    uses,
  }: { request: AdmissionRequest; tools: AdmissionTools; around: Around; uses: DatasetsAround },
): Draft {
  const { project, name, labels } = metadata;
  const present = known?.removed === true ? undefined : known;
  const specDigest = tools.digest(spec);
  if (present && isAsAsked(present, labels, specDigest))
    return { workload: present, change: changeOf(present, 'unchanged'), issues: [] };
  const demand = demandOf(spec.placement.users, tools.locate);
  const workload: Workload = {
    kind: 'Workload',
    project,
    name,
    labels,
    generation: (known?.generation ?? 0) + 1,
    spec,
    specDigest,
    demand: demand.points,
    // A stopped workload stays stopped until someone starts it: apply changes what would run.
    stopped: present?.stopped ?? false,
    removed: false,
    createdAt: present?.createdAt ?? request.now,
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
  };
  const change = changeOf(workload, present ? 'updated' : 'created');
  const issues = [
    ...fixedTypeIssues(spec, present?.spec.type),
    ...demand.issues,
    ...contradictions({ project, name, spec }, around),
    ...datasetUseIssues({ project, name, spec }, uses),
  ];
  return { workload, change, issues };
}

/** Datasets of a project as they would be after the command. */
function datasetIn(
  project: string,
  { datasets = [] }: Apply,
  state: AdmissionState,
): DatasetsAround['dataset'] {
  return (name) => {
    const asked = datasets.find(({ metadata: m }) => m.project === project && m.name === name);
    if (asked !== undefined) return asked.spec;
    const known = state.dataset(project, name);
    return known === undefined || known.removed ? undefined : known.spec;
  };
}

/** What rules of one workload may be judged by: the other documents of the command as they are asked for, and what there is. */
export function aroundOf(
  documents: readonly WorkloadDocument[],
  request: AdmissionRequest,
  state: AdmissionState,
): Around {
  const asked = new Map(documents.map((d) => [workloadKey(d.metadata.project, d.metadata.name), d]));
  return {
    at: Date.parse(request.now),
    sites: () => state.sites(),
    workload(project, name) {
      const document = asked.get(workloadKey(project, name));
      if (document) return { project, name, spec: document.spec };
      const known = state.workload(project, name);
      return known?.removed === false ? { project, name, spec: known.spec } : undefined;
    },
  };
}

/** What `changes` says of a workload. */
export function changeOf(workload: Workload, change: Change['change']): Change {
  const { project, name, generation } = workload;
  return { noun: 'workload', project, name, change, generation };
}

function isAsAsked(known: Workload, labels: Workload['labels'], specDigest: string): boolean {
  return !known.removed && known.specDigest === specDigest && sameLabels(known.labels, labels);
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/**
 * Keys are read one by one, and a server that lags behind may answer: one may be as the command made it, and another as it was
 * before, though both were written at once. What was told of it then would leave changes out; better that than no answer at all.
 */
function readInPart(
  documents: readonly WorkloadDocument[],
  known: readonly (Workload | undefined)[],
  { command, isOverdue = false }: AdmissionRequest,
  tools: AdmissionTools,
): Rejected | undefined {
  if (isOverdue) return undefined;
  const committed = known.find((workload) => applied(workload, command.requestId))?.commandSequence ?? 0;
  const older = documents.find(({ metadata, spec }, at) => {
    const workload = known[at];
    if (workload === undefined) return true;
    const mine = applied(workload, command.requestId);
    // What was asked for lay there before, or a newer command has changed it since.
    return (
      !mine &&
      workload.commandSequence < committed &&
      !isAsAsked(workload, metadata.labels, tools.digest(spec))
    );
  });
  if (older === undefined) return undefined;
  const { project, name } = older.metadata;
  return { ...rejected('unavailable', `${project}/${name} was read as it was before`), again: true };
}

/** The command was committed before, and only its answer was lost. */
function replay(
  documents: readonly WorkloadDocument[],
  known: readonly (Workload | undefined)[],
  request: AdmissionRequest,
  datasets: DatasetDrafts,
): Admission {
  const changes = documents.flatMap((_document, at) => {
    const workload = known[at];
    if (!workload) return [];
    const mine = applied(workload, request.command.requestId);
    const fresh = workload.createdAt === workload.updatedAt ? 'created' : 'updated';
    return [changeOf(workload, mine ? fresh : 'unchanged')];
  });
  return { ok: true, writes: NO_WRITES, changes: [...changes, ...datasets.changes] };
}

function supersededBy(workload: Workload): Rejected {
  return rejected(
    'conflict',
    `superseded: a newer command has changed ${workload.project}/${workload.name} (generation ${workload.generation})`,
    { hint: 'look at it with "skerry get" and apply again if it is still wanted' },
  );
}

function refuseGeneration(
  wanted: number | undefined,
  known: readonly (Workload | undefined)[],
): Rejected | undefined {
  if (wanted === undefined) return undefined;
  if (known.length !== 1)
    return rejected('invalid', 'ifGeneration needs exactly one document', {
      issues: [
        { path: 'ifGeneration', problem: `given with ${known.length} documents`, allowed: 'one document' },
      ],
    });
  const [workload] = known;
  const is = workload === undefined || workload.removed ? 0 : workload.generation;
  if (is === wanted) return undefined;
  return rejected('conflict', `the workload is at generation ${is}, not ${wanted}`, {
    hint: 'read it again, decide again, and apply with the generation it has now',
  });
}

function repeated(documents: readonly WorkloadDocument[]): Issue[] {
  const seen = new Map<string, number>();
  return documents.flatMap(({ metadata }, at): Issue[] => {
    const key = workloadKey(metadata.project, metadata.name);
    const first = seen.get(key);
    seen.set(key, first ?? at);
    if (first === undefined) return [];
    const value = `${metadata.project}/${metadata.name}`;
    return [
      {
        path: `[doc ${at}] ${metadata.name}: metadata.name`,
        problem: `also in document ${first}`,
        value,
        allowed: 'each workload once in a command',
      },
    ];
  });
}

function prefixed(issues: readonly Issue[], documents: readonly WorkloadDocument[], at: number): Issue[] {
  if (documents.length === 1) return [...issues];
  const name = documents[at]?.metadata.name ?? '';
  return issues.map((issue) => ({ ...issue, path: `[doc ${at}] ${name}: ${issue.path}` }));
}

function refuse(issues: readonly Issue[]): Rejected {
  const quota = issues.every((i) => i.path.startsWith('quota.'));
  const code = issues.every(isResidencyIssue) ? 'residency' : 'invalid';
  return rejected(
    quota ? 'over-quota' : code,
    `refused: ${issues.length} problem${issues.length === 1 ? '' : 's'}`,
    {
      issues,
      hint: quota
        ? 'scale something down or ask an admin for a larger quota'
        : 'mend what is named and apply again',
    },
  );
}
