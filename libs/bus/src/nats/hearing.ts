import type { Msg } from '@nats-io/nats-core';
import { Refusal } from '@skerry/contracts';
import { encodeBody } from '../body.js';
import type { Body, HeardMessage, Headers, Message, Subscription } from '../bus.js';
import { refused } from '../refusals.js';
import { requireFilter } from '../subject.js';
import { inTrace } from '../trace.js';
import type { Link } from './link.js';
import { WireMessage } from './wire.js';

/** A plain message, with the way to answer where its sender asked for one. */
class Heard extends WireMessage implements HeardMessage {
  readonly replyTo?: string;
  readonly reply?: (body: Body, options?: { headers?: Headers }) => void;

  constructor(raw: Msg, link: Link) {
    super(raw);
    const to = raw.reply;
    if (to === undefined || to === '') return;
    this.replyTo = to;
    this.reply = (body, options = {}) => link.say(to, encodeBody(body), options.headers);
  }
}

/** Hears plain messages; a handler that throws costs an alarm. */
export function hear(
  link: Link,
  subject: string,
  handler: (m: HeardMessage) => void,
  options: { queue?: string },
): Subscription {
  return subscribed(link, subject, options, (raw) => {
    const m = new Heard(raw, link);
    try {
      inTrace(
        () => m.headers,
        () => handler(m),
      );
    } catch (error) {
      link.onAlarm({ what: `hear ${subject}`, subject: m.subject, error });
    }
    return undefined;
  });
}

/** Answers requests; what a handler throws becomes an answer, and an alarm unless it is a `Refusal`. */
export function respondTo(
  link: Link,
  subject: string,
  handler: (m: Message) => Promise<Body> | Body,
  options: { queue?: string },
): Subscription {
  const answer = async (raw: Msg) => {
    const m = new WireMessage(raw);
    const say = (body: Body, headers = {}) => {
      if (raw.reply !== undefined && raw.reply !== '') link.say(raw.reply, encodeBody(body), headers);
    };
    try {
      say(
        await inTrace(
          () => m.headers,
          () => handler(m),
        ),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) {
        link.onAlarm({ what: `answer ${subject}`, subject: m.subject, error });
      }
      const { body, headers } = refused(error);
      say(body, headers);
    }
  };
  return subscribed(link, subject, options, answer);
}

/** Ending waits for the handlers that run. */
function subscribed(
  link: Link,
  subject: string,
  options: { queue?: string },
  handle: (raw: Msg) => Promise<void> | undefined,
): Subscription {
  const running = new Set<Promise<void>>();
  const track = (handling: Promise<void> | undefined) => {
    if (handling === undefined) return;
    running.add(handling);
    void handling.finally(() => running.delete(handling));
  };
  const subscription = link.subscribe(requireFilter(subject), {
    ...options,
    callback: (error, raw) => {
      if (error !== null) {
        link.onAlarm({ what: `subscribe to ${subject}`, subject, error });
        return;
      }
      track(handle(raw));
    },
  });
  return {
    drain: async () => {
      if (!subscription.isClosed()) await subscription.drain().catch(() => subscription.unsubscribe());
      await Promise.all(running);
      await link.flush().catch(() => undefined);
    },
  };
}
