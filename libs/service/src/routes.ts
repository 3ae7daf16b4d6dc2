import type { MessageHandler } from '@nestjs/microservices';
import type { Message } from '@skerry/bus';
import { STREAMS } from '@skerry/contracts';
import type { Heard } from './decorators.js';

/** A method of a controller and what it hears. */
export interface Route {
  readonly heard: Heard;
  /** The method's own payload: the message itself, or with Nest's ordinary decorators its body as JSON. */
  readonly payloadOf: (hint: unknown) => unknown;
  readonly handler: MessageHandler;
}

/**
 * What a Nest handler hears. Skerry's decorators say it themselves; of Nest's ordinary ones, `@EventPattern(subject)` hears
 * the stream that the subject lies in through a durable named after app and subject, and `@MessagePattern(subject)` answers
 * requests. Throws when no stream has the subject.
 */
export function routeOf(pattern: string, handler: MessageHandler, app: string): Route {
  const heard: unknown = handler.extras?.['heard'];
  if (isHeard(heard)) return { heard, handler, payloadOf: (message) => message };
  return { heard: ordinary(pattern, handler, app), handler, payloadOf: jsonOf };
}

function ordinary(subject: string, handler: MessageHandler, app: string): Heard {
  if (!handler.isEventHandler) return { kind: 'request', subject, options: {} };
  const stream = Object.values(STREAMS).find((s) => s.subjects.some((of) => covers(of, subject)));
  if (!stream) throw new Error(`@EventPattern('${subject}') of ${app}: no stream holds this subject`);
  const durable = `${app}-${subject.replace(/[^A-Za-z0-9]+/g, '_')}`;
  return { kind: 'stored', stream: stream.name, options: { filters: [subject], durable } };
}

/** Whether every subject that matches `inner` lies in `outer`, which ends in `.>`. */
function covers(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.slice(0, -1));
}

function jsonOf(message: unknown): unknown {
  return isMessage(message) ? message.json() : message;
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'json' in value && 'headers' in value;
}

function isHeard(value: unknown): value is Heard {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

/** How a route is called in traces, logs and reasons. */
export function titleOf(heard: Heard): string {
  switch (heard.kind) {
    case 'stored':
    case 'followed':
      return heard.stream;
    case 'change':
      return heard.bucket.name;
    case 'request':
    case 'plain':
      return heard.subject;
    default:
      return heard satisfies never;
  }
}
