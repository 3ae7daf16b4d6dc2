import { TooLarge, type Bus } from '@skerry/bus';
import {
  parseAcross,
  proposalAnswerSchema,
  Refusal,
  SITE,
  workloadKey,
  type CommandOutcome,
  type Proposal,
  type ProposalAnswer,
  type ProposalRequest,
} from '@skerry/contracts';
import { isUnknown } from '../desired/local-change.js';
import { reason, type Log } from '../log.js';
import type { ChangesBook } from './changes-book.js';
import type { Journal } from './journal.js';

const ANSWER_MS = 5_000;
/** While the hub does not answer. */
const RETRY_MS = 1_000;
/** Refusals that may be none when it is asked again; any other decides the change. */
const PASSING: ReadonlySet<string> = new Set([
  'unavailable',
  'timeout',
  'throttled',
  'storage-full',
  'internal',
]);
const ALONE = 'it counts at this site alone: it runs at other sites too, and goes on there';

export interface ProposalsOptions {
  site: string;
  bus: Bus;
  book: ChangesBook;
  journal: Pick<Journal, 'state'>;
  /** Whether this agent speaks for its site. */
  acting: () => boolean;
  /** Whether what a change put in place is what the hub wants now: then nothing has to stand over that. */
  isAsWanted: (key: string) => boolean;
  /** The hub has decided: what it wants now may come soon. */
  onDecided: () => void;
  log: Log;
}

type Decision = Extract<ProposalAnswer, { state: 'decided' }>;

/** Has the hub make commands of local changes, in their order, until each is decided; what it refuses is taken back here. */
export class Proposals {
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ProposalsOptions) {}

  /** There may be something to send: a change was made, or this agent speaks for its site now. */
  kick(): void {
    if (this.closed || this.running !== undefined || !this.options.acting()) return;
    clearTimeout(this.timer);
    this.running = this.sendAll().then((again) => {
      this.running = undefined;
      if (again && !this.closed) this.timer = setTimeout(() => this.kick(), RETRY_MS).unref();
    });
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** True when something is left to send. */
  private async sendAll(): Promise<boolean> {
    try {
      for (const proposal of this.options.book.open()) {
        const decision = await this.ask(proposal);
        if (decision === undefined || this.closed) return true;
        await this.decided(proposal, decision);
      }
      return this.options.book.open().length > 0;
    } catch (error) {
      this.options.log.debug('the hub does not decide on a local change yet', { reason: reason(error) });
      return true;
    }
  }

  private async ask(proposal: Proposal): Promise<Decision | undefined> {
    const body = requestOf(this.options.site, proposal, this.options.book.before(proposal));
    try {
      const answer = await this.options.bus.request(SITE.proposal, body, { timeoutMs: ANSWER_MS });
      const parsed = parseAcross(proposalAnswerSchema, answer.json());
      if (!parsed.ok) throw new Error('an answer to a local change that is none');
      return parsed.value.state === 'decided' ? parsed.value : undefined;
    } catch (error) {
      const outcome = refusedForEver(proposal, error);
      if (outcome === undefined) throw error;
      return { state: 'decided', outcome };
    }
  }

  private async decided(proposal: Proposal, { outcome, alone }: Decision): Promise<void> {
    const { book, journal, log, onDecided } = this.options;
    const { id } = proposal.request;
    const state = outcome.ok ? ('accepted' as const) : ('rejected' as const);
    // First: an agent that ends in between asks again, and gets the same answer.
    if (!outcome.ok) {
      log.warn('the hub refuses a local change: it is taken back', { requestId: id, reason: outcome.title });
      await book.withdraw(id);
    } else if (alone === true) await this.leftHere(proposal);
    else await this.dropUnchanged(id, outcome);
    await book.decide(id, { state, outcome });
    const text = textOf(outcome) ?? (alone === true ? ALONE : undefined);
    journal.state({
      what: 'change-decided',
      requestId: id,
      outcome: state,
      ...(text === undefined ? {} : { text }),
    });
    onDecided();
  }

  /** The hub leaves a stop to this site; a start ends what stood over what the hub wants. */
  private async leftHere({ request, verb }: Proposal): Promise<void> {
    const { book, isAsWanted } = this.options;
    for (const key of book.keysOf(request.id)) {
      if (verb === 'stop') await book.mark(key, { alone: true });
      else if (isAsWanted(key)) await book.drop(key);
    }
  }

  /** What is at the hub already as it was changed here brings no newer version that would end the change. */
  private async dropUnchanged(id: string, { changes }: Extract<CommandOutcome, { ok: true }>): Promise<void> {
    const { book } = this.options;
    const keys = new Set(book.keysOf(id));
    for (const { noun, project, name, change } of changes) {
      const key = workloadKey(project ?? '', name);
      if (noun === 'workload' && change === 'unchanged' && keys.has(key)) await book.drop(key);
    }
  }
}

function requestOf(site: string, { request, over }: Proposal, after: string[]): ProposalRequest {
  const unknown: string[] = [];
  const bases: Record<string, number> = {};
  for (const { project, name, base } of over) {
    const key = workloadKey(project, name);
    if (base === undefined || isUnknown(base)) unknown.push(key);
    else bases[key] = base.generation;
  }
  return { site, request, after, unknown, bases };
}

/** That it was refused, when asking again would change nothing. */
function refusedForEver({ request }: Proposal, error: unknown): CommandOutcome | undefined {
  const why = error instanceof TooLarge ? new Refusal('too-large', error.message) : error;
  if (!(why instanceof Refusal) || PASSING.has(why.code)) return undefined;
  return {
    kind: 'Outcome',
    ok: false,
    requestId: request.id,
    verb: 'site.change',
    code: why.code,
    title: why.message,
    issues: why.details.issues ?? [],
    decidedAt: new Date().toISOString(),
  };
}

function textOf(outcome: CommandOutcome): string | undefined {
  if (outcome.ok) return undefined;
  return [outcome.title, ...outcome.issues.map((i) => `${i.path} ${i.problem}`)].join('; ');
}
