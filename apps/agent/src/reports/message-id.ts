import { randomBytes } from 'node:crypto';

/** 128 random bits: the hub's duplicate check spans all sites, so a counter would let one swallow another's messages. */
export function messageId(): string {
  return randomBytes(16).toString('base64url');
}

/** Header in which a message's id lies in a stream. */
export const MESSAGE_ID_HEADER = 'Nats-Msg-Id';
