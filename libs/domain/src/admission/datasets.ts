import type { Change, CommandBody, Dataset, DatasetDocument, Issue } from '@skerry/contracts';
import { datasetIssues } from './dataset-rules.js';
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

/** What an apply makes of its datasets, before anything is refused. */
export interface DatasetDrafts {
  writes: Dataset[];
  changes: Change[];
  issues: Issue[];
  /** A newer command has changed one of them. */
  late: Rejected | undefined;
}

/** Every dataset document of a command with all that is wrong with it. What this command wrote before is not written again. */
export function draftDatasets(
  documents: readonly DatasetDocument[],
  request: AdmissionRequest,
  state: AdmissionState,
  tools: AdmissionTools,
): DatasetDrafts {
  const drafts: DatasetDrafts = { writes: [], changes: [], issues: [], late: undefined };
  const seen = new Set<string>();
  for (const document of documents) {
    const { project, name } = document.metadata;
    const known = state.dataset(project, name);
    if (applied(known, request.command.requestId) && known) {
      drafts.changes.push(changeOf(known, known.createdAt === known.updatedAt ? 'created' : 'updated'));
      continue;
    }
    if (superseded(known, request.sequence)) drafts.late ??= supersededBy(project, name);
    const { dataset, change, issues } = draft(document, known, { request, state, tools });
    if (seen.has(`${project}.${name}`))
      issues.push({
        path: 'metadata.name',
        problem: 'there is another of this name',
        allowed: 'each dataset once in a command',
      });
    seen.add(`${project}.${name}`);
    drafts.issues.push(...issues.map((issue) => ({ ...issue, path: `dataset ${name}: ${issue.path}` })));
    drafts.changes.push(change);
    if (change.change !== 'unchanged') drafts.writes.push(dataset);
  }
  return drafts;
}

/** Removes a dataset with its records; a tombstone stays, so that its generations go on. */
export function admitDatasetRemove(
  { project, name }: Extract<CommandBody, { verb: 'dataset.remove' }>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const known = state.dataset(project, name);
  if (known && applied(known, request.command.requestId))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'removed')] };
  if (!known || known.removed)
    return rejected('not-found', `there is no dataset ${project}/${name}`, {
      hint: 'list them with "skerry data ls"',
    });
  if (superseded(known, request.sequence)) return supersededBy(project, name);
  const users = [...(state.usersOf?.(project, name) ?? [])];
  if (users.length > 0)
    return rejected('conflict', `${project}/${name} is used by ${users.slice(0, 8).join(', ')} (spec.data)`, {
      hint: 'remove the workloads, or apply them without it, and then the dataset',
    });
  const { recovered: _recovered, ...declared } = known;
  const removed: Dataset = {
    ...declared,
    removed: true,
    generation: known.generation + 1,
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
  };
  return {
    ok: true,
    writes: { ...NO_WRITES, datasets: [removed] },
    changes: [changeOf(removed, 'removed')],
  };
}

function draft(
  document: DatasetDocument,
  known: Dataset | undefined,
  { request, state, tools }: { request: AdmissionRequest; state: AdmissionState; tools: AdmissionTools },
): { dataset: Dataset; change: Change; issues: Issue[] } {
  const { project, name, labels } = document.metadata;
  const present = known?.removed === true ? undefined : known;
  const specDigest = tools.digest(document.spec);
  if (present?.specDigest === specDigest && tools.digest(present.labels) === tools.digest(labels))
    return { dataset: present, change: changeOf(present, 'unchanged'), issues: [] };
  const generation = (known?.generation ?? 0) + 1;
  const dataset: Dataset = {
    kind: 'Dataset',
    project,
    name,
    labels,
    generation,
    incarnation: present?.incarnation ?? generation,
    spec: document.spec,
    specDigest,
    removed: false,
    createdAt: present?.createdAt ?? request.now,
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
  };
  const change = changeOf(dataset, present ? 'updated' : 'created');
  return { dataset, change, issues: datasetIssues(dataset, present, state) };
}

function changeOf({ project, name, generation }: Dataset, change: Change['change']): Change {
  return { noun: 'dataset', project, name, change, generation };
}

function supersededBy(project: string, name: string): Rejected {
  return rejected('conflict', `superseded: a newer command has changed dataset ${project}/${name}`, {
    hint: 'look at it with "skerry data where" and apply again if it is still wanted',
  });
}
