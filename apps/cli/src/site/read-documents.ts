import {
  LIMITS,
  parse,
  workloadDocumentSchema,
  type DocumentSource,
  type Issue,
  type WorkloadDocument,
} from '@skerry/contracts';
import { parseAllDocuments } from 'yaml';
import { CommandFailed, EXIT } from '../exit-codes.js';

/** The workloads in files, as the api reads them; with every mistake in all of them at once. Throws `CommandFailed`. */
export function readDocuments(sources: readonly DocumentSource[]): WorkloadDocument[] {
  const issues: Issue[] = [];
  const documents = sources.flatMap(({ name, text }) =>
    valuesOf(name, text).flatMap((value): WorkloadDocument[] => {
      const parsed = parse(workloadDocumentSchema, value);
      if (parsed.ok) return [parsed.value];
      issues.push(...parsed.issues.map((issue) => ({ ...issue, path: `${name}: ${issue.path}` })));
      return [];
    }),
  );
  if (issues.length > 0) {
    const lines = issues.map(
      ({ path, problem, allowed }) => `${path}: ${problem}${allowed ? ` (allowed: ${allowed})` : ''}`,
    );
    throw new CommandFailed(
      EXIT.failed,
      `${issues.length} mistakes`,
      'mend what is named; nothing was applied',
      lines,
    );
  }
  if (documents.length === 0 || documents.length > LIMITS.documentsPerSiteApply) {
    throw new CommandFailed(
      EXIT.failed,
      `${documents.length} documents`,
      `1 to ${LIMITS.documentsPerSiteApply} at once (limit documentsPerSiteApply); nothing was applied`,
    );
  }
  return documents;
}

function valuesOf(name: string, text: string): unknown[] {
  const documents = parseAllDocuments(text, { version: '1.2', uniqueKeys: true, merge: false });
  const list = Array.isArray(documents) ? documents : [];
  const wrong = list.flatMap((document) => document.errors.map((error) => `${name}: ${error.message}`));
  if (wrong.length > 0)
    throw new CommandFailed(EXIT.failed, `${name} is no valid YAML or JSON`, 'nothing was applied', wrong);
  return list
    .map((document): unknown => document.toJS({ maxAliasCount: LIMITS.documentAliases }))
    .filter((value) => value !== null && value !== undefined);
}
