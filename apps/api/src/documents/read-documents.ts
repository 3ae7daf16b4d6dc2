import {
  type ApplyBody,
  applyBodySchema,
  type DatasetDocument,
  datasetDocumentSchema,
  type DocumentSource,
  type Issue,
  LIMITS,
  nameSchema,
  parse,
  Refusal,
  type WorkloadDocument,
  workloadDocumentSchema,
} from '@skerry/contracts';
import { treeIssue } from './bounded-tree.js';
import { readYaml } from './strict-yaml.js';

/** A body as it came, with the media type it was said to be. */
export interface RawBody {
  mediaType: string;
  bytes: Uint8Array;
}

/** A document before its schema was checked, with what a person calls it. */
interface Raw {
  label: string;
  value: unknown;
}

/** Documents by their kind. */
export interface Documents {
  workloads: WorkloadDocument[];
  datasets: DatasetDocument[];
}

/** As commands and requests have them: without datasets it is what a version knows that has none. */
export function bodyOf({ workloads, datasets }: Documents): {
  documents: WorkloadDocument[];
  datasets?: DatasetDocument[];
} {
  return { documents: workloads, ...(datasets.length === 0 ? {} : { datasets }) };
}

/**
 * The workloads and datasets in the body of an apply or a plan, with every mistake in all of them at once. Throws `Refusal`:
 * `malformed`, `too-large` or `invalid`. Each issue's path begins with its file and workload.
 */
export function readDocuments(body: RawBody): Documents {
  const raws = rawDocuments(body);
  if (raws.length === 0) {
    throw new Refusal('invalid', 'nothing to apply: there is no document', {
      hint: 'a document begins with "apiVersion: skerry/v1" and "kind: Workload"; see deploy/examples',
    });
  }
  if (raws.length > LIMITS.documentsPerCommand) {
    throw new Refusal('too-large', `${raws.length} documents in one command`, {
      hint: `apply at most ${LIMITS.documentsPerCommand} documents at once (limit documentsPerCommand)`,
    });
  }
  const parsed = raws.map((raw) => ({ raw, result: checked(raw.value) }));
  const issues = parsed.flatMap(({ raw, result }) =>
    result.ok ? [] : result.issues.map((issue) => within(raw.label, issue)),
  );
  const documents = parsed.flatMap(({ result }) => (result.ok ? [result.value] : []));
  issues.push(
    ...repeated(parsed.flatMap(({ raw, result }) => (result.ok ? [{ raw, document: result.value }] : []))),
  );
  if (issues.length === 0) return byKind(documents);
  const count = issues.length === 1 ? 'one mistake' : `${issues.length} mistakes`;
  throw new Refusal(
    'invalid',
    `${count} in ${raws.length === 1 ? 'the document' : `${raws.length} documents`}`,
    {
      issues: issues.slice(0, MAX_ISSUES),
      hint: 'mend what is named; nothing was applied',
    },
  );
}

function byKind(documents: readonly (WorkloadDocument | DatasetDocument)[]): Documents {
  return {
    workloads: documents.filter((d) => d.kind === 'Workload'),
    datasets: documents.filter((d) => d.kind === 'Dataset'),
  };
}

/** Issues in one answer; further ones are found by the next try. */
const MAX_ISSUES = 200;

function rawDocuments(body: RawBody): Raw[] {
  const text = textOf(body);
  switch (body.mediaType) {
    case 'application/json':
      return fromJson(text);
    case 'text/yaml':
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/plain':
      return fromSource({ name: 'body', text });
    default:
      throw new Refusal('malformed', `documents as ${body.mediaType || 'an unnamed type'} are not taken`, {
        hint: 'send Content-Type text/yaml, or application/json with {"documents": […]} or {"sources": […]}',
      });
  }
}

function fromJson(text: string): Raw[] {
  const body = jsonBody(text);
  if (body.documents)
    return body.documents.map((value, i) => ({ label: labelOf(`documents[${i}]`, value), value }));
  const sources = body.sources ?? [];
  const bytes = sources.reduce((sum, source) => sum + Buffer.byteLength(source.text), 0);
  if (bytes > LIMITS.documentBytes) throw tooManyBytes(bytes);
  return sources.flatMap((source) => fromSource(source));
}

function jsonBody(text: string): ApplyBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal('malformed', 'the body is no JSON', { issues: [{ path: 'body', problem }] });
  }
  const parsed = parse(applyBodySchema, value);
  if (parsed.ok) return parsed.value;
  throw new Refusal('invalid', 'the body is not what apply and plan take', { issues: parsed.issues });
}

function fromSource({ name, text }: DocumentSource): Raw[] {
  const values = readYaml(text, name);
  return values.map((value, i) => ({
    label: labelOf(values.length === 1 ? name : `${name}[${i}]`, value),
    value,
  }));
}

/** Where a document is and, when it has one, the name it gives itself. */
function labelOf(where: string, value: unknown): string {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return where;
  const { metadata } = value;
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return where;
  const name = nameSchema.safeParse(metadata.name);
  return name.success ? `${where} ${name.data}` : where;
}

function checked(value: unknown) {
  const issue = treeIssue(value);
  if (issue) return { ok: false as const, issues: [issue] };
  return isDataset(value) ? parse(datasetDocumentSchema, value) : parse(workloadDocumentSchema, value);
}

function isDataset(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Dataset';
}

function within(label: string, issue: Issue): Issue {
  return { ...issue, path: issue.path === '' ? label : `${label}: ${issue.path}` };
}

function repeated(items: { raw: Raw; document: WorkloadDocument | DatasetDocument }[]): Issue[] {
  const first = new Map<string, string>();
  return items.flatMap(({ raw, document: { kind, metadata } }) => {
    const key = `${metadata.project}/${metadata.name}`;
    const before = first.get(`${kind} ${key}`);
    if (before === undefined) {
      first.set(`${kind} ${key}`, raw.label);
      return [];
    }
    const issue = {
      path: 'metadata.name',
      problem: `${key} is there twice, first in ${before}`,
      allowed: `each ${kind.toLowerCase()} once`,
    };
    return [within(raw.label, issue)];
  });
}

function textOf({ bytes, mediaType }: RawBody): string {
  // As JSON, texts are escaped and may be larger than what they hold; their sum is checked above.
  if (mediaType !== 'application/json' && bytes.byteLength > LIMITS.documentBytes)
    throw tooManyBytes(bytes.byteLength);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal('malformed', 'the body is no UTF-8 text', { hint: 'save the file as UTF-8' });
  }
}

function tooManyBytes(bytes: number): Refusal {
  return new Refusal('too-large', `${bytes} bytes of documents`, {
    hint: `apply at most ${LIMITS.documentBytes} bytes at once (limit documentBytes)`,
  });
}
