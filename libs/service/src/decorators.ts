import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { ConsumeOptions } from '@skerry/bus';
import type { BucketDefinition } from '@skerry/contracts';
import type { z } from 'zod';

/** Transport id that binds a handler to the bus only. */
export const ON_BUS: unique symbol = Symbol.for('skerry.transport.bus');

/** How a durable consumption differs from the defaults of `ConsumeOptions`. `durable` defaults to the app's name. */
export type StoredOptions = Partial<Omit<ConsumeOptions, 'stream' | 'app'>>;
export interface FollowedOptions {
  from?: 'last' | 'new';
  filters?: string[];
}
export interface ChangeOptions {
  /** Keys, with wildcards; default all. */
  keys?: string[];
}
export interface PlainOptions {
  /** `app`: one instance of the app gets each message (default of requests); `none`: every instance does (default of plain messages); else the queue's own name. */
  queue?: 'app' | 'none' | (string & {});
}

/** What a handler hears: told by its decorator, read by the transport. */
export type Heard =
  | { readonly kind: 'stored'; readonly stream: string; readonly options: StoredOptions }
  | { readonly kind: 'followed'; readonly stream: string; readonly options: FollowedOptions }
  | {
      readonly kind: 'change';
      readonly bucket: BucketDefinition;
      readonly schema: z.ZodType;
      readonly options: ChangeOptions;
    }
  | { readonly kind: 'request'; readonly subject: string; readonly options: PlainOptions }
  | { readonly kind: 'plain'; readonly subject: string; readonly options: PlainOptions };

/**
 * Hears a stream through a durable consumer, at least once, shared by all instances.
 * The method gets a `StoredMessage` and answers an `Outcome`; nothing means `done`, a throw means retry with backoff.
 */
export function OnStored(stream: string, options: StoredOptions = {}): MethodDecorator {
  return event({ kind: 'stored', stream, options });
}

/** Follows a stream in order, in every instance, without a durable. The method gets a `StoredMessage`. The service is ready when it has caught up. */
export function OnFollowed(stream: string, options: FollowedOptions = {}): MethodDecorator {
  return event({ kind: 'followed', stream, options });
}

/** Follows a bucket in every instance: every value, then every change. The method gets a `BucketChange`. The service is ready when it has caught up. */
export function OnChange(
  bucket: BucketDefinition,
  schema: z.ZodType,
  options: ChangeOptions = {},
): MethodDecorator {
  return event({ kind: 'change', bucket, schema, options });
}

/** Answers requests; one instance answers each. The method gets a `Message` and returns the answer's body; a `Refusal` reaches the asker as itself. */
export function OnRequest(subject: string, options: PlainOptions = {}): MethodDecorator {
  const heard: Heard = { kind: 'request', subject, options };
  return MessagePattern(nameOf(heard), ON_BUS, { heard });
}

/** Hears plain messages, never stored, in every instance. The method gets a `PlainMessage`; `reply` answers where the sender asked. */
export function OnPlain(subject: string, options: PlainOptions = {}): MethodDecorator {
  return event({ kind: 'plain', subject, options });
}

function event(heard: Heard): MethodDecorator {
  // The type argument skips an overload of Nest's that does not compile under strictFunctionTypes.
  return EventPattern<string>(nameOf(heard), ON_BUS, { heard });
}

function nameOf(heard: Heard): string {
  switch (heard.kind) {
    case 'stored':
    case 'followed':
      return `${heard.kind} ${heard.stream} ${heard.options.filters?.join(',') ?? '>'}`;
    case 'change':
      return `${heard.kind} ${heard.bucket.name} ${heard.options.keys?.join(',') ?? '>'}`;
    case 'request':
    case 'plain':
      return `${heard.kind} ${heard.subject}`;
    default:
      return heard satisfies never;
  }
}
