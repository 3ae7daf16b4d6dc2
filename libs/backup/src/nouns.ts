import {
  BUCKETS,
  bucketStream,
  STREAMS,
  type BucketDefinition,
  type BucketName,
  type StreamDefinition,
  type StreamName,
} from '@skerry/contracts';

/**
 * `always`: decided or said by people, or what the centre needs so that nothing moves when it starts again. `history`: what
 * happened, when asked for. `datasets`: records of the datasets that were chosen. `never`: derived, or gone in a moment.
 */
export type Kept = 'always' | 'history' | 'datasets' | 'never';
type Place = BucketName | StreamName;

interface Rule {
  kept: Kept;
  /** What it names: read after it and restored before it, so that a backup never names what it does not have. */
  refersTo?: readonly string[];
}

/** By the names that `BUCKETS` and `STREAMS` have for them. A new one gets its line here; a test says so. */
const RULES: Readonly<Record<string, Rule>> = {
  identities: { kept: 'always' },
  policies: { kept: 'always' },
  siteSpecs: { kept: 'always', refersTo: ['identities'] },
  datasets: { kept: 'always', refersTo: ['siteSpecs', 'policies'] },
  copies: { kept: 'always', refersTo: ['datasets', 'siteSpecs'] },
  // The proof of where copies were is worth most when everything else is gone.
  copyAudit: { kept: 'always', refersTo: ['copies'] },
  // Without them nobody reads the records of an encrypted dataset; with them only sites do.
  dataKeys: { kept: 'always', refersTo: ['datasets', 'siteSpecs'] },
  // Epochs of homes go on rising.
  homes: { kept: 'always', refersTo: ['datasets', 'siteSpecs'] },
  workloads: { kept: 'always', refersTo: ['datasets', 'siteSpecs', 'policies'] },
  // Who sends a command again whose answer was lost gets the same one.
  outcomes: { kept: 'always', refersTo: ['workloads', 'datasets', 'siteSpecs', 'policies'] },
  // Derived, but without them a new scheduler would take every site for one that was never heard, and move.
  siteStates: { kept: 'always', refersTo: ['siteSpecs'] },
  nodes: { kept: 'always', refersTo: ['siteSpecs'] },
  placements: { kept: 'always', refersTo: ['workloads', 'siteStates'] },
  OBSERVED: { kept: 'always', refersTo: ['placements', 'nodes'] },
  inputs: { kept: 'history' },
  decisions: { kept: 'history', refersTo: ['inputs'] },
  EVT: { kept: 'history', refersTo: ['placements'] },
  DEAD: { kept: 'history' },
  SITELOG: { kept: 'history', refersTo: ['siteSpecs'] },
  REP: { kept: 'datasets', refersTo: ['datasets', 'CHUNKS'] },
  CHUNKS: { kept: 'datasets', refersTo: ['datasets'] },
  LOGS: { kept: 'datasets', refersTo: ['datasets'] },
  // Derived from what is above.
  DL: { kept: 'never' },
  GIVEN: { kept: 'never' },
  status: { kept: 'never' },
  // For a day or less; who waits asks again.
  CMD: { kept: 'never' },
  plans: { kept: 'never' },
  leases: { kept: 'never' },
};

/** A bucket or stream of the hub as backups see it. */
export interface Noun {
  /** As its owner calls it: `workloads`, `REP`. */
  name: string;
  stream: string;
  kept: Kept;
  definition: { bucket: BucketDefinition } | { stream: StreamDefinition };
  /** Whether a subject holds one value, the newest, or a sequence of messages. */
  layout: 'keyed' | 'log';
  /** Several messages may be stored in one transaction. */
  atomic: boolean;
}

/** Every bucket and stream of the hub: who names others before those that it names. Restored the other way round. */
export const NOUNS: readonly Noun[] = inReadingOrder().map(nounOf);

/** Names of the nouns that a noun names itself. */
export function namedBy(noun: Noun): string[] {
  const place = places().find((each) => nounOf(each).name === noun.name);
  return place === undefined ? [] : referred(place).map((other) => nounOf(other).name);
}

function places(): Place[] {
  return [...keysOf(BUCKETS), ...keysOf(STREAMS)];
}

/** What nothing is said of is kept: too much in a backup is mended more easily than too little. */
function ruleOf(place: Place): Rule {
  return RULES[place] ?? { kept: 'always' };
}

/** Buckets and streams of which `RULES` says nothing. */
export function unsaid(): string[] {
  return places().filter((place) => RULES[place] === undefined);
}

function referred(place: Place): Place[] {
  const { refersTo = [] } = ruleOf(place);
  return places().filter((other) => refersTo.includes(other));
}

function inReadingOrder(): Place[] {
  const order: Place[] = [];
  const visit = (place: Place) => {
    if (order.includes(place)) return;
    for (const other of referred(place)) visit(other);
    order.push(place);
  };
  for (const place of places()) visit(place);
  return order.toReversed();
}

function nounOf(place: Place): Noun {
  const { kept } = ruleOf(place);
  if (isBucket(place)) {
    const bucket: BucketDefinition = BUCKETS[place];
    const { name, atomic = false } = bucket;
    return { name, stream: bucketStream(name), kept, definition: { bucket }, layout: 'keyed', atomic };
  }
  const stream: StreamDefinition = STREAMS[place];
  const { name, atomic = false } = stream;
  return { name, stream: name, kept, definition: { stream }, layout: layoutOf(stream), atomic };
}

/** What is written once is read as a log, so that never more than a chunk of it is in memory. */
function layoutOf({ name, maxMessagesPerSubject }: StreamDefinition): Noun['layout'] {
  return maxMessagesPerSubject === 1 && name !== 'CHUNKS' ? 'keyed' : 'log';
}

function isBucket(place: Place): place is BucketName {
  return place in BUCKETS;
}

function keysOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  const isKey = (key: string): key is K => key in table;
  return Object.keys(table).filter(isKey);
}
