/** True when a file was not there: `cause` or what caused it is ENOENT. Looks at the shape alone, since errors may come from another realm. */
export function isMissing(cause: unknown): boolean {
  if (typeof cause !== 'object' || cause === null) return false;
  if ('code' in cause && cause.code === 'ENOENT') return true;
  return 'cause' in cause && isMissing(cause.cause);
}
