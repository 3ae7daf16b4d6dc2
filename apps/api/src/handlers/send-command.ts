import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  type Command,
  type CommandBody,
  type CommandOutcome,
  commandSubject,
  ERROR_STATUS,
  HEADERS,
  LIMITS,
  Refusal,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { Caller } from '../http/caller.js';
import { traceHeaders } from '../http/request-trace.js';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { AskHub, MAKE_ROOM } from './hub-health.js';

/** How long an answer waits for policy. */
export const OUTCOME_WAIT_MS = 10_000;
/** Left for headers and the frame in one message. */
const FRAME_BYTES = 8 * 1024;

export type Accepted = Extract<CommandOutcome, { ok: true }>;

/**
 * Puts a command on the bus and waits for what policy makes of it. Stored before it is acknowledged; the same
 * request id again replays the outcome. Throws a `Refusal` with policy's reasons, or `timeout` when no outcome came
 * within 10 s: the command is then stored and will still be handled.
 */
@Injectable()
export class SendCommand {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(OutcomesStore) private readonly outcomes: OutcomesStore,
    @Inject(AskHub) private readonly hub: AskHub,
  ) {}

  async send(body: CommandBody, caller: Caller): Promise<Accepted> {
    const { requestId } = caller;
    const before = caller.mayBeRetry ? await this.outcomes.get(requestId) : undefined;
    if (before) return accepted(sameVerb(before, body));
    if (this.outcomes.full) throw new Refusal('throttled', 'too many requests wait for their outcome');
    const expected = this.outcomes.expect(requestId);
    try {
      await this.publish(body, caller);
      const outcome = await expected.within(OUTCOME_WAIT_MS);
      if (outcome) return accepted(sameVerb(outcome, body));
      throw await this.late(requestId);
    } finally {
      expected.end();
    }
  }

  /** Why a command that is stored has no outcome yet. */
  private async late(requestId: string): Promise<Refusal> {
    const look = `ask again with Idempotency-Key ${requestId}, or look at /v1/outcomes/${requestId}`;
    const health = await this.hub.health();
    if (health?.ok === false) {
      const why = `the hub cannot store its outcome (${health.detail}): the command is stored, and handled when there is room`;
      return new Refusal('storage-full', why, { hint: `${MAKE_ROOM}; then ${look}` });
    }
    const after = `no outcome within ${OUTCOME_WAIT_MS / 1_000} s: the command is stored and will be handled`;
    return new Refusal('timeout', after, { hint: look });
  }

  private async publish(body: CommandBody, caller: Caller): Promise<void> {
    const command: Command = {
      kind: 'Command',
      requestId: caller.requestId,
      actor: caller.actor,
      sentAt: new Date().toISOString(),
      body,
    };
    const bytes = Buffer.from(JSON.stringify(command));
    if (bytes.byteLength > LIMITS.messageBytes - FRAME_BYTES) {
      throw new Refusal('too-large', `with its defaults filled in this is ${bytes.byteLength} bytes`, {
        hint: `split it: one command has at most ${LIMITS.messageBytes - FRAME_BYTES} bytes (limit messageBytes); nothing was applied`,
      });
    }
    await this.bus.publish(subjectOf(body), bytes, {
      messageId: caller.requestId,
      headers: { [HEADERS.requestId]: caller.requestId, ...traceHeaders(caller.trace) },
    });
  }
}

function subjectOf(body: CommandBody): string {
  switch (body.verb) {
    case 'workload.apply': {
      const [first, ...more] = body.documents;
      if (!first || more.length > 0 || (body.datasets ?? []).length > 0) return commandSubject(body.verb);
      return commandSubject(body.verb, first.metadata.project, first.metadata.name);
    }
    case 'workload.recover':
    case 'dataset.recover':
      return commandSubject(body.verb, body.document.metadata.project, body.document.metadata.name);
    case 'workload.scale':
    case 'workload.stop':
    case 'workload.start':
    case 'workload.remove':
    case 'dataset.remove':
      return commandSubject(body.verb, body.project, body.name);
    case 'site.add':
      return commandSubject(body.verb, undefined, body.site.name);
    case 'site.remove':
    case 'site.cordon':
    case 'site.drain':
    case 'site.recall':
      return commandSubject(body.verb, undefined, body.name);
    case 'node.set':
    case 'node.remove':
      return commandSubject(body.verb, body.site, body.name);
    case 'quota.set':
    case 'quota.remove':
      return commandSubject(body.verb, undefined, body.project);
    default:
      return body satisfies never;
  }
}

function sameVerb(outcome: CommandOutcome, body: CommandBody): CommandOutcome {
  if (outcome.verb === body.verb) return outcome;
  throw new Refusal('conflict', `request id ${outcome.requestId} was used for ${outcome.verb} before`, {
    hint: 'use an Idempotency-Key for one request only',
  });
}

function accepted(outcome: CommandOutcome): Accepted {
  if (outcome.ok) return outcome;
  const { code, title, issues, hint } = outcome;
  if (!(code in ERROR_STATUS)) throw new Error(`outcome with code ${code}`);
  throw new Refusal(code, title, { issues, ...(hint ? { hint } : {}) });
}
