import {
  BUCKETS,
  STREAMS,
  bucketStream,
  bucketSubject,
  inboxPrefix,
  type BucketName,
  type StreamName,
} from '@skerry/contracts';
import { ownStream, readStream } from './stream-grants.js';
import type { Permissions } from './users.js';

/** Not in backups: derived, or gone in a moment. Of these only the state is asked; a reader of `CMD` could take commands away. */
const NOT_KEPT: ReadonlySet<string> = new Set<BucketName | StreamName>([
  'CMD',
  'DL',
  'GIVEN',
  'leases',
  'plans',
  'status',
]);

const buckets = Object.entries(BUCKETS).map(([place, { name }]) => ({
  place,
  stream: bucketStream(name),
  subjects: [bucketSubject(name, '>')],
}));
const streams = Object.entries(STREAMS).map(([place, { name, subjects }]) => ({
  place,
  stream: name,
  subjects: [...subjects],
}));
const ALL = [...buckets, ...streams];
const KEPT = ALL.filter(({ place }) => !NOT_KEPT.has(place));

const ASKS = ['$JS.API.INFO', ...ALL.map(({ stream }) => `$JS.API.STREAM.INFO.${stream}`)];

/** Reads all that is in backups, and writes nothing. */
export const BACKUP: Permissions = {
  pub: [...new Set([...ASKS, ...KEPT.flatMap(({ stream }) => readStream(stream))])],
  sub: [`${inboxPrefix('backup')}.>`],
};

/** Makes every stream anew and fills those that are in backups: as mighty as all owners together, for one hour in years. */
export const RESTORE: Permissions = {
  pub: [
    ...new Set([
      ...ASKS,
      ...ALL.flatMap(({ stream }) => ownStream(stream)),
      ...readStream(bucketStream(BUCKETS.leases.name)),
      ...KEPT.flatMap(({ subjects }) => subjects),
    ]),
  ],
  sub: [`${inboxPrefix('restore')}.>`],
};
