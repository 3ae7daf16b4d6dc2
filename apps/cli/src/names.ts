import { ProblemError, type SkerryClient } from '@skerry/client';
import { nameSchema, type SiteView, type WorkloadRef } from '@skerry/contracts';
import { CommandFailed, EXIT } from './exit-codes.js';

/** Candidates named when a prefix fits several. */
const MAX_CANDIDATES = 20;

/**
 * The workload that `text` names: `project/name`, a name, or a unique prefix of either. Throws `CommandFailed`: not
 * found, or the candidates when it fits several.
 */
export async function findWorkload(
  client: SkerryClient,
  text: string,
  project: string | undefined,
): Promise<WorkloadRef> {
  const exact = exactRef(text, project);
  if (exact && (await exists(client, exact))) return exact;
  const refs: WorkloadRef[] = [];
  for await (const status of client.status(project)) if (status.phase !== 'removed') refs.push(status);
  const same = refs.filter((ref) => ref.name === text || keyOf(ref) === text);
  const found =
    same.length > 0 ? same : refs.filter((ref) => ref.name.startsWith(text) || keyOf(ref).startsWith(text));
  const key = one(found.map(keyOf), text, 'workload');
  const [inProject = '', name = ''] = key.split('/');
  return { project: inProject, name };
}

/** The site that `text` names: its name or a unique prefix of it. */
export async function findSite(client: SkerryClient, text: string): Promise<SiteView> {
  const views = await client.sites();
  const same = views.filter(({ site }) => site.name === text);
  const found = same.length > 0 ? same : views.filter(({ site }) => site.name.startsWith(text));
  const name = one(
    found.map(({ site }) => site.name),
    text,
    'site',
  );
  const view = found.find(({ site }) => site.name === name);
  if (view) return view;
  throw notFound('site', text);
}

/** `project/name`, as people write and read it. */
export function keyOf({ project, name }: WorkloadRef): string {
  return `${project}/${name}`;
}

function exactRef(text: string, project: string | undefined): WorkloadRef | undefined {
  const parts = text.split('/');
  const [first = '', second] = parts;
  const ref =
    second === undefined ? { project: project ?? '', name: first } : { project: first, name: second };
  const valid =
    parts.length <= 2 && nameSchema.safeParse(ref.project).success && nameSchema.safeParse(ref.name).success;
  return valid ? ref : undefined;
}

async function exists(client: SkerryClient, ref: WorkloadRef): Promise<boolean> {
  try {
    await client.workload(ref.project, ref.name);
    return true;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'not-found') return false;
    throw error;
  }
}

function one(names: string[], text: string, noun: 'workload' | 'site'): string {
  const [first, ...more] = names;
  if (first === undefined) throw notFound(noun, text);
  if (more.length === 0) return first;
  const shown = names.slice(0, MAX_CANDIDATES);
  const rest = names.length > shown.length ? [`… and ${names.length - shown.length} more`] : [];
  throw new CommandFailed(EXIT.usage, `${text} fits ${names.length} ${noun}s`, 'write more of the name', [
    ...shown,
    ...rest,
  ]);
}

function notFound(noun: 'workload' | 'site', text: string): CommandFailed {
  const list = noun === 'workload' ? 'skerry status' : 'skerry site ls';
  return new CommandFailed(EXIT.notFound, `no ${noun} ${text}`, `see \`${list}\``);
}
