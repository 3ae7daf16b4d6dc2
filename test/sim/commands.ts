import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  commandSubject,
  HEADERS,
  outcomeSchema,
  type Actor,
  type Command,
  type CommandBody,
  type CommandOutcome,
  type Workload,
} from '@skerry/contracts';
import type { Cloud } from './cloud.js';

/** Asked for again when nothing was heard for so long. */
const PATIENCE_MS = 4_000;
const AGAIN_MS = 500;
/** How soon it is looked for the outcome, and again. */
const LOOKS_MS = [15, 50, 200];
const LOOK_MS = 500;

export const OPERATOR: Actor = { subject: 'olivia', role: 'operator' };

/** A request as somebody makes it, and may make it again. */
export interface Request {
  requestId: string;
  body: CommandBody;
  actor?: Actor;
}

/** In place of api: puts commands on the queue as it does, and asks again with the same request id until an outcome is heard. */
export class Commands {
  /** The newest generation of each workload that somebody was told is accepted, by key. */
  readonly acknowledged = new Map<string, number>();
  private readonly outcomes: Bucket<CommandOutcome>;
  private waiting = 0;

  constructor(
    private readonly cloud: Cloud,
    private readonly bus: Bus,
  ) {
    this.outcomes = bus.bucket(BUCKETS.outcomes, (v) => outcomeSchema.parse(v));
  }

  /** Requests whose outcome nobody has heard yet. */
  get open(): number {
    return this.waiting;
  }

  /** The hub has lost what it had stored last: what was told of it counts no more. */
  forget(left: ReadonlyMap<string, Workload>): void {
    for (const [key, generation] of this.acknowledged)
      this.acknowledged.set(key, Math.min(generation, left.get(key)?.generation ?? 0));
  }

  /** Resolves with the outcome, however long it takes. `late`: as one that asks again when the queue no longer knows the request id. */
  async ask(request: Request, late = false): Promise<CommandOutcome> {
    this.waiting += 1;
    for (;;) {
      const outcome = await this.attempt(request, late).catch(() => undefined);
      if (outcome === undefined) {
        await pause(AGAIN_MS);
        continue;
      }
      this.waiting -= 1;
      this.heard(outcome);
      return outcome;
    }
  }

  private async attempt(request: Request, late: boolean): Promise<CommandOutcome | undefined> {
    await this.send(request, late);
    const { timeline } = this.cloud;
    const until = timeline.now + PATIENCE_MS;
    for (let look = 0; timeline.now < until; look += 1) {
      await pause(LOOKS_MS[look] ?? LOOK_MS);
      const found = await this.outcomes.get(request.requestId);
      if (found !== undefined) return found.value;
    }
    return undefined;
  }

  private async send({ requestId, body, actor = OPERATOR }: Request, late: boolean): Promise<void> {
    const sentAt = new Date().toISOString();
    const command: Command = { kind: 'Command', requestId, actor, sentAt, body };
    await this.bus.publish(subjectOf(body), command, {
      ...(late ? {} : { messageId: requestId }),
      headers: { [HEADERS.requestId]: requestId },
    });
  }

  private heard(outcome: CommandOutcome): void {
    if (!outcome.ok) return;
    for (const { noun, project, name, generation } of outcome.changes) {
      if (noun !== 'workload') continue;
      const key = `${project}.${name}`;
      this.acknowledged.set(key, Math.max(this.acknowledged.get(key) ?? 0, generation));
    }
  }
}

/** Subjects only sort what lies in the queue. */
function subjectOf(body: CommandBody): string {
  const { project, name } = { project: undefined, name: undefined, ...body };
  return commandSubject(body.verb, project, name);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
