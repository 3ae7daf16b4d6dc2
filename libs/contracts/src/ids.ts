declare const brand: unique symbol;
type Id<Kind extends string> = string & { readonly [brand]: Kind };

/** Narrows a text to an id: the only place where one is made of a plain string. */
function isId<Kind extends string>(text: string, form: RegExp): text is Id<Kind> {
  return form.test(text);
}
function idOf<Kind extends string>(text: string): Id<Kind> {
  if (!isId<Kind>(text, NOT_EMPTY)) throw new Error('an id is not empty');
  return text;
}
const NOT_EMPTY = /./;

/** `<project>.<name>`: the key of a workload in every bucket. */
export type WorkloadKey = Id<'workload'>;
/** `<project>.<name>.<site>.<slot>`: one running copy; the same slot is the same replica over restarts. */
export type ReplicaId = Id<'replica'>;
/** Public key of a site's account on the hub: its identity in subjects (`A…`, 56 characters). */
export type AccountId = Id<'account'>;

/** Names one workload over all buckets and subjects. */
export function workloadKey(project: string, name: string): WorkloadKey {
  return idOf(`${project}.${name}`);
}

/** Splits a workload's key into its project and name. */
export function parseWorkloadKey(key: string): { project: string; name: string } {
  const [project = '', name = ''] = key.split('.');
  return { project, name };
}

/** Names the replica in `slot` (from 0) of a workload at a site. */
export function replicaId(key: WorkloadKey, site: string, slot: number): ReplicaId {
  return idOf(`${key}.${site}.${slot}`);
}

const ACCOUNT = /^A[A-Z2-7]{55}$/;

/** The account id in `text`, or undefined when it is none. */
export function parseAccountId(text: string | undefined): AccountId | undefined {
  return text !== undefined && isId<'account'>(text, ACCOUNT) ? text : undefined;
}
