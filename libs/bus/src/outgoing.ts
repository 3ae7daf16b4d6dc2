import { encodeBody, requireHeaders } from './body.js';
import type { BatchItem, Body, Headers, PublishOptions } from './bus.js';
import { Malformed, TooLarge } from './errors.js';
import { requireSubject } from './subject.js';
import { withTrace } from './trace.js';

/** Messages of one transaction: the server's own limit. */
export const BATCH_MAX = 1_000;
export const TIMEOUT_MS = 5_000;

/** Headers that tell the server what a publish depends on. */
export const NATS = {
  messageId: 'Nats-Msg-Id',
  ttl: 'Nats-TTL',
  expectedSequence: 'Nats-Expected-Last-Subject-Sequence',
  expectedSubject: 'Nats-Expected-Last-Subject-Sequence-Subject',
  rollup: 'Nats-Rollup',
  markerReason: 'Nats-Marker-Reason',
  batchId: 'Nats-Batch-Id',
  batchSequence: 'Nats-Batch-Sequence',
  batchCommit: 'Nats-Batch-Commit',
} as const;

/** A message ready to be sent. */
export interface Outgoing {
  subject: string;
  bytes: Uint8Array;
  headers: Headers;
}

/** Checks and encodes what is to be published; its conditions become headers of the message itself. */
export function outgoing(subject: string, body: Body, options: PublishOptions): Outgoing {
  return {
    subject: requireSubject(subject),
    bytes: encodeBody(body),
    headers: requireHeaders(conditions(withTrace(options.headers), options)),
  };
}

/** The messages of a transaction, its last one telling the server to commit. Throws for none and for more than `BATCH_MAX`. */
export function outgoingBatch(items: readonly BatchItem[], batch: string): Outgoing[] {
  if (items.length === 0) throw new Malformed('a batch without messages');
  if (items.length > BATCH_MAX) {
    throw new TooLarge(`a batch of ${items.length} messages: at most ${BATCH_MAX} (limit batchMessages)`);
  }
  const messages = items.map(({ subject, body, headers, expect }) =>
    outgoing(subject, body, {
      ...(headers === undefined ? {} : { headers }),
      ...(expect === undefined ? {} : { expect }),
    }),
  );
  return inBatch(messages, batch);
}

/** Messages as the parts of one transaction. */
export function inBatch(messages: readonly Outgoing[], batch: string): Outgoing[] {
  return messages.map((message, i) => {
    const part = {
      [NATS.batchId]: batch,
      [NATS.batchSequence]: String(i + 1),
      ...(i === messages.length - 1 ? { [NATS.batchCommit]: '1' } : {}),
    };
    return { ...message, headers: { ...message.headers, ...part } };
  });
}

function conditions(headers: Headers, { messageId, ttlMs, expect }: PublishOptions): Headers {
  if (messageId === undefined && ttlMs === undefined && expect === undefined) return headers;
  const all: Record<string, string> = { ...headers };
  if (messageId !== undefined) all[NATS.messageId] = messageId;
  if (ttlMs !== undefined) all[NATS.ttl] = ttlText(ttlMs);
  if (expect !== undefined) {
    all[NATS.expectedSequence] = String(expect.sequence);
    if (expect.subject !== undefined) all[NATS.expectedSubject] = expect.subject;
  }
  return all;
}

function ttlText(ttlMs: number): string {
  if (ttlMs < 1_000 || ttlMs % 1_000 !== 0) {
    throw new Malformed(`time to live of ${ttlMs} ms: whole seconds, at least 1000`);
  }
  return `${ttlMs / 1_000}s`;
}
