import type { Assignment } from '@skerry/contracts';
import { epochOf, isOwned, replicaToken } from '../singletons/ownership.js';
import type { Surroundings } from './environment.js';
import type { ReplicaRecord } from './replica-record.js';

/** Where replicas reach their agent. */
export interface Doors {
  /** Over HTTP. */
  endpoint: { url(): Promise<string> };
  /** Servers at which they ask by subjects; undefined where the site's server does not let them in. */
  natsUrl: string | undefined;
}

/** What a replica is told of its agent: of a singleton who owns it too. Its token is with its record, so that the next agent knows it. */
export async function grantAccess(
  record: ReplicaRecord,
  assignment: Assignment,
  { moves, doors }: { moves: number; doors: Doors },
): Promise<Pick<Surroundings, 'ownership' | 'access'>> {
  if (record.driver === 'mock') return {};
  const url = await doors.endpoint.url();
  const token = replicaToken();
  const { natsUrl } = doors;
  if (isOwned(assignment)) record.token = token;
  else record.asks = token;
  const access = { url, token, natsUrl };
  return { access, ...(isOwned(assignment) ? { ownership: { epoch: epochOf(assignment, moves) } } : {}) };
}
