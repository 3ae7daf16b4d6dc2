import {
  DECLARED_DATASET_CHARS,
  type Change,
  type CommandBody,
  type Dataset,
  type DeclaredDataset,
  type HeldDataset,
} from '@skerry/contracts';
import { datasetIssues } from './dataset-rules.js';
import { declaredRest } from './declared-rest.js';
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

type Recover = Extract<CommandBody, { verb: 'dataset.recover' }>;

/**
 * Makes again what sites have copies of and the hub does not know, since it was restored from an older backup: the same dataset, at
 * the generation that it had, so that the copies go on as what they are. Of several sites the highest generation counts. What the
 * hub knows is not touched, removed ones included.
 */
export function admitDatasetRecover(
  body: Recover,
  request: AdmissionRequest,
  state: AdmissionState,
  tools: AdmissionTools,
): Admission {
  const { project, name } = body.document.metadata;
  const known = state.dataset(project, name);
  if (known && applied(known, request.command.requestId))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'created')] };
  const found = recovered(body, known, { request, tools });
  const unproven = refuseUnproven(body, found, tools);
  if (unproven) return unproven;
  if (known && isThere(known, found))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'unchanged')] };
  const refused = refuseKnown(known, request);
  if (refused) return refused;
  const issues = datasetIssues(found, undefined, state);
  if (issues.length > 0)
    return rejected('invalid', `dataset ${project}/${name} obeys the rules here no more`, {
      issues,
      hint: 'its copies stay where they are: mend what is named and apply it again',
    });
  return {
    ok: true,
    writes: { ...NO_WRITES, datasets: [found] },
    changes: [changeOf(found, known ? 'updated' : 'created')],
  };
}

/**
 * What a site is given of a dataset, so that it comes back to a hub that has lost it. Undefined: it does not, since an older policy
 * admitted it without a warrant, or it takes too much to declare. What the hub kept beside it is made anew: where its copies are from
 * what sites hold, who is its home from where its workload is, its keys from sites that have them.
 */
export function declaredDatasetOf({ labels, spec, warrant, removed }: Dataset): DeclaredDataset | undefined {
  if (warrant === undefined || removed) return undefined;
  const rest = JSON.stringify({ labels, spec });
  return rest.length > DECLARED_DATASET_CHARS ? undefined : { rest, warrant };
}

/** The document that a site holds, not looked at yet. */
export function datasetDocumentOf({ project, name, declared }: HeldDataset): unknown {
  const { labels, spec } = declaredRest(declared.rest);
  return { apiVersion: 'skerry/v1', kind: 'Dataset', metadata: { project, name, labels }, spec };
}

function recovered(
  { document: { metadata, spec }, generation, incarnation }: Recover,
  known: Dataset | undefined,
  { request, tools }: { request: AdmissionRequest; tools: AdmissionTools },
): Dataset {
  return {
    kind: 'Dataset',
    project: metadata.project,
    name: metadata.name,
    labels: metadata.labels,
    generation,
    incarnation,
    spec,
    specDigest: tools.digest(spec),
    removed: false,
    createdAt: known?.createdAt ?? request.now,
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
    recovered: true,
  };
}

function refuseUnproven({ warrant }: Recover, found: Dataset, tools: AdmissionTools): Rejected | undefined {
  if (tools.warrantedDataset?.(found, warrant) === true) return undefined;
  return rejected(
    'forbidden',
    `nothing shows that dataset ${found.project}/${found.name} was admitted here as it is held there`,
    { hint: 'the keys of policy may be others than before: apply it again if it is wanted' },
  );
}

/** Whether what is there is that, or what was proven to have followed it. */
function isThere(known: Dataset, found: Dataset): boolean {
  if (known.removed) return false;
  const isSame = known.generation === found.generation && known.incarnation === found.incarnation;
  return (isSame && known.specDigest === found.specDigest) || isFollowed(known, found);
}

function isFollowed({ recovered: told, generation }: Dataset, found: Dataset): boolean {
  return told === true && generation > found.generation;
}

function refuseKnown(known: Dataset | undefined, request: AdmissionRequest): Rejected | undefined {
  if (known === undefined) return undefined;
  const { project, name, generation, removed } = known;
  if (removed || known.recovered !== true)
    return rejected(
      'conflict',
      `dataset ${project}/${name} is known here, ${removed ? 'removed' : `at generation ${generation}`}`,
      { hint: 'what was decided here counts' },
    );
  if (!superseded(known, request.sequence)) return undefined;
  return rejected('conflict', `superseded: a newer command has changed dataset ${project}/${name}`);
}

function changeOf({ project, name, generation }: Dataset, change: Change['change']): Change {
  return { noun: 'dataset', project, name, change, generation };
}
