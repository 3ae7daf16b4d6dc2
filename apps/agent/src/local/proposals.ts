import type { Bus } from '@skerry/bus';
import {
  parseAcross,
  proposalAnswerSchema,
  SITE,
  workloadKey,
  type CommandOutcome,
  type Proposal,
  type ProposalRequest,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { ChangesBook } from './changes-book.js';
import type { Journal } from './journal.js';

const ANSWER_MS = 5_000;
/** While the hub does not answer. */
const RETRY_MS = 1_000;

export interface ProposalsOptions {
  site: string;
  bus: Bus;
  book: ChangesBook;
  journal: Journal;
  /** Whether this agent speaks for its site. */
  acting: () => boolean;
  /** The hub has decided: what it wants now may come soon. */
  onDecided: () => void;
  log: Log;
}

/** Has the hub make commands of local changes, in their order, until each is decided; what it refuses is taken back here. */
export class Proposals {
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ProposalsOptions) {}

  /** There may be something to send, or the hub may be back. */
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
        const outcome = await this.ask(proposal);
        if (outcome === undefined || this.closed) return true;
        await this.decided(proposal, outcome);
      }
      return this.options.book.open().length > 0;
    } catch (error) {
      this.options.log.debug('the hub does not decide on a local change yet', { reason: reason(error) });
      return true;
    }
  }

  private async ask(proposal: Proposal): Promise<CommandOutcome | undefined> {
    const body: ProposalRequest = {
      site: this.options.site,
      request: proposal.request,
      after: this.options.book.before(proposal),
      unknown: proposal.over.flatMap(({ project, name, base }) =>
        base === undefined ? [workloadKey(project, name)] : [],
      ),
    };
    const answer = await this.options.bus.request(SITE.proposal, body, { timeoutMs: ANSWER_MS });
    const parsed = parseAcross(proposalAnswerSchema, answer.json());
    if (!parsed.ok) throw new Error('an answer to a local change that is none');
    return parsed.value.state === 'decided' ? parsed.value.outcome : undefined;
  }

  private async decided(proposal: Proposal, outcome: CommandOutcome): Promise<void> {
    const { book, journal, log, onDecided } = this.options;
    const { id } = proposal.request;
    const state = outcome.ok ? ('accepted' as const) : ('rejected' as const);
    await book.decide(id, { state, outcome });
    const text = outcome.ok
      ? undefined
      : [outcome.title, ...outcome.issues.map((i) => `${i.path} ${i.problem}`)].join('; ');
    journal.state({
      what: 'change-decided',
      requestId: id,
      outcome: state,
      ...(text === undefined ? {} : { text }),
    });
    if (!outcome.ok) {
      log.warn('the hub refuses a local change: it is taken back', { requestId: id, reason: outcome.title });
      await book.withdraw(id);
    }
    onDecided();
  }
}
