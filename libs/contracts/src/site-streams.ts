import { OUTBOX_MAX_BYTES, SITE_STREAMS } from './streams.js';
import { SITE } from './subjects.js';

/** The streams of a site's own server, as nats-server's JetStream API takes them. Raw, since clients do not know `sources[].consumer`. */

const DESIRED_MAX_BYTES = 512 * 1024 * 1024;
const SECOND_NS = 1_000_000_000;

/** Header that a server puts on a message it took from another stream: `<stream> <sequence> <filter> …`. */
export const SOURCE_HEADER = 'Nats-Stream-Source';

/** Sequence in the hub's `DL` of a message in `DESIRED`, read from its source header; undefined when it has none. */
export function sourceSequence(header: string | undefined): number | undefined {
  const sequence = Number(header?.split(' ')[1]);
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}

/**
 * `DESIRED`: sources the hub's `DL` through the durable that the replicator made for this site's account, whose
 * acknowledgements are flow control. A plain source takes 40 s and more to resume after a silent cut.
 */
export function desiredStream(account: string, replicas = 1): object {
  return {
    name: SITE_STREAMS.DESIRED,
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    max_bytes: DESIRED_MAX_BYTES,
    max_msgs: -1,
    max_age: 0,
    max_consumers: -1,
    max_msgs_per_subject: 1,
    allow_direct: true,
    num_replicas: replicas,
    sources: [
      {
        name: 'DL',
        external: { api: 'JSC.API', deliver: '' },
        consumer: { name: account, deliver_subject: SITE.delivery },
      },
    ],
  };
}

/** `OUT`: the newest report of each subject until the hub has it. Full means that a report waits at the agent. */
export function outboxStream(replicas = 1): object {
  return {
    name: SITE_STREAMS.OUT,
    subjects: [SITE.outbox],
    retention: 'workqueue',
    storage: 'file',
    discard: 'new',
    max_bytes: OUTBOX_MAX_BYTES,
    max_msgs: -1,
    max_age: 0,
    max_consumers: -1,
    max_msgs_per_subject: 1,
    duplicate_window: 120 * SECOND_NS,
    allow_direct: true,
    num_replicas: replicas,
  };
}
