import { Inject, Injectable } from '@nestjs/common';
import {
  Conflict,
  done,
  reject,
  retry,
  StorageFull,
  TimedOut,
  Unavailable,
  type Headers,
  type Outcome,
  type StoredMessage,
} from '@skerry/bus';
import { commandSchema, parse, type Command, type CommandOutcome } from '@skerry/contracts';
import { admit, type Admission, type Rejected } from '@skerry/domain';
import { carriedOn, JsonLog, traceIdOf } from '@skerry/service';
import { SiteAccounts } from '../sites/site-accounts.js';
import { Desk, type Papers } from '../stores/desk.js';
import { OutcomesStore } from '../stores/outcomes.store.js';
import { Predecessors } from '../stores/predecessors.js';

/** Times that a decision is made again because what it was made on has changed meanwhile. */
const DECISIONS = 5;
/** Deliveries after which an unexpected failure is no longer taken for a passing one. */
const FAILURES = 5;
const BUSY_MS = 50;
/** Deliveries at which a command waits no longer, for one before it whose answer is on its way or for what was read in part: some 10 s. */
const WAITS = 100;
const AWAY_MS = 1_000;

/** Decides commands from `CMD`: admitted ones are committed, and every one gets its outcome. */
@Injectable()
export class CommandHandler {
  constructor(
    @Inject(Desk) private readonly desk: Desk,
    @Inject(OutcomesStore) private readonly outcomes: OutcomesStore,
    @Inject(Predecessors) private readonly predecessors: Predecessors,
    @Inject(SiteAccounts) private readonly accounts: SiteAccounts,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: StoredMessage): Promise<Outcome> {
    const parsed = parse(commandSchema, message.json());
    if (!parsed.ok) {
      const reasons = parsed.issues.map((i) => `${i.path}: ${i.problem}`).join('; ');
      return reject(`not a command: ${reasons.slice(0, 500)}`);
    }
    return this.decided(parsed.value, message).catch((error: unknown) =>
      this.failed(parsed.value, message, error),
    );
  }

  private async decided(command: Command, message: StoredMessage): Promise<Outcome> {
    // Committed and answered before, only the acknowledgement was lost; or a retry of a client within 24 hours.
    const [answered, read] = await Promise.all([
      this.outcomes.has(command.requestId),
      this.desk.papersFor(command.body),
    ]);
    if (answered) return done;
    for (let tries = 0; tries < DECISIONS; tries += 1) {
      const papers = tries === 0 ? read : await this.desk.papersFor(command.body);
      const admission = await this.decideOnce(command, message, papers);
      if (admission === 'conflict') continue;
      await this.answer(command, message.headers, admission);
      return done;
    }
    return retry({ afterMs: BUSY_MS, reason: 'what it changes keeps changing' });
  }

  private async decideOnce(
    command: Command,
    message: StoredMessage,
    papers: Papers,
  ): Promise<Admission | 'conflict'> {
    const request = {
      command,
      sequence: message.sequence,
      now: new Date().toISOString(),
      isOverdue: message.deliveries >= WAITS,
      ...(await this.accounts.accountFor(command)),
    };
    const admission = admit(request, papers.state, this.desk.tools);
    if (!admission.ok) {
      noteRefused(command, admission, this.log);
      return admission.again === true ? 'conflict' : admission;
    }
    const over = await this.predecessors.areOver(papers.predecessors(admission.writes));
    if (!over && !request.isOverdue) return 'conflict';
    try {
      await papers.commit(admission.writes, carriedOn(message.headers));
      return admission;
    } catch (error) {
      if (error instanceof Conflict) return 'conflict';
      throw error;
    }
  }

  private answer(command: Command, headers: Headers, admission: Admission): Promise<void> {
    return this.outcomes.write(outcomeOf(command, headers, admission), carriedOn(headers));
  }

  private async failed(command: Command, message: StoredMessage, error: unknown): Promise<Outcome> {
    if (isPassing(error)) return retry({ afterMs: AWAY_MS, reason: error.message });
    if (message.deliveries < FAILURES) throw error;
    this.log.error(`command ${command.requestId} failed ${message.deliveries} times`, error);
    const title = 'the command could not be decided; it lies in the dead letters';
    const hint = 'an operator can look at it with "skerry dlq ls"';
    await this.answer(command, message.headers, { ok: false, code: 'internal', title, issues: [], hint });
    return reject(error instanceof Error ? error.message : String(error));
  }
}

/** Only a site that was tampered with says what was never admitted; or the keys of policy are others than before. */
function noteRefused({ body, actor }: Command, { code, title }: Rejected, log: JsonLog): void {
  const isHeld = body.verb === 'workload.recover' || body.verb === 'dataset.recover';
  if (isHeld && code === 'forbidden') log.error(`alarm: ${actor.subject}: ${title}`);
}

function outcomeOf(command: Command, headers: Headers, admission: Admission): CommandOutcome {
  const { requestId, body } = command;
  const traceId = traceIdOf(headers);
  const common = {
    kind: 'Outcome' as const,
    requestId,
    verb: body.verb,
    decidedAt: new Date().toISOString(),
    ...(traceId === undefined ? {} : { traceId }),
  };
  if (admission.ok) return { ...common, ok: true, changes: [...admission.changes] };
  const { code, title, issues, hint } = admission;
  return { ...common, ok: false, code, title, issues: [...issues], ...(hint === undefined ? {} : { hint }) };
}

function isPassing(error: unknown): error is Error {
  return error instanceof Unavailable || error instanceof TimedOut || error instanceof StorageFull;
}
