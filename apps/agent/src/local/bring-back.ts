import { createHash } from 'node:crypto';
import type { Bus } from '@skerry/bus';
import {
  formatVersion,
  LIMITS,
  parseAcross,
  proposalAnswerSchema,
  Refusal,
  SITE,
  type Assignment,
  type CommandOutcome,
  type HeldProposal,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { Journal } from './journal.js';

const ANSWER_MS = 5_000;
const RETRY_MS = 1_000;
/** What was decided is proposed again with the first comparison after this long: it takes a while until it is placed. */
const AGAIN_MS = 4 * 60_000;
/** Objects of which it is remembered that they were told of. */
const REMEMBERED_MAX = 10_000;
const ID_CHARS = 40;

export interface BringBackOptions {
  site: string;
  bus: Bus;
  journal: Pick<Journal, 'state'>;
  /** Whether this agent speaks for its site. */
  acting: () => boolean;
  /** What the hub gave of a workload (`<project>.<name>`); undefined when none is wanted here any more. */
  held: (key: string) => Assignment | undefined;
  log: Log;
}

/**
 * Proposes to the hub what it gave to this site once and does not know any more: it was restored from an older backup. What it
 * does not take goes on here all the same. What an older hub gave does not say all that is needed, and is not proposed.
 */
export class BringBack {
  private readonly waiting = new Set<string>();
  /** By id: when it was decided. */
  private readonly settled = new Map<string, number>();
  private readonly told = new Set<string>();
  private running = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: BringBackOptions) {}

  /** Proposes these, one after the other, until each is decided. */
  propose(keys: readonly string[]): void {
    for (const key of keys) this.waiting.add(key);
    void this.run();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    if (this.running || this.closed || this.waiting.size === 0 || !this.options.acting()) return;
    this.running = true;
    try {
      for (const key of this.waiting) if (await this.isSettled(key)) this.waiting.delete(key);
    } catch (error) {
      this.options.log.debug('the hub does not decide on what it does not know', { reason: reason(error) });
    } finally {
      this.running = false;
    }
    clearTimeout(this.timer);
    if (this.waiting.size > 0 && !this.closed)
      this.timer = setTimeout(() => void this.run(), RETRY_MS).unref();
  }

  /** Asks for one; true when there is nothing more to ask. */
  private async isSettled(key: string): Promise<boolean> {
    const held = this.options.held(key);
    if (held?.declared === undefined || this.closed) return true;
    const id = idOf(held);
    if (performance.now() - (this.settled.get(id) ?? -AGAIN_MS) < AGAIN_MS) return true;
    this.tell(id, held);
    const outcome = await this.ask(held);
    if (outcome !== undefined) this.decided(id, held, outcome);
    return outcome !== undefined;
  }

  private async ask(held: Assignment): Promise<CommandOutcome | undefined> {
    const { bus, site } = this.options;
    const body: HeldProposal = { site, held };
    try {
      const answer = await bus.request(SITE.proposal, body, { timeoutMs: ANSWER_MS });
      const parsed = parseAcross(proposalAnswerSchema, answer.json());
      if (!parsed.ok) throw new Error('an answer to a proposal that is none');
      return parsed.value.state === 'decided' ? parsed.value.outcome : undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // A hub of before knows local changes alone.
      this.options.log.debug('the hub takes no proposal', { reason: error.message });
      return undefined;
    }
  }

  /** Written down once, so that `site report` names it. */
  private tell(id: string, { project, name, version }: Assignment): void {
    if (this.told.has(id)) return;
    if (this.told.size >= REMEMBERED_MAX) this.told.clear();
    this.told.add(id);
    const text = `${project}/${name} (${formatVersion(version)}) is held here and the hub does not know it: proposed`;
    this.options.journal.state({ what: 'operation', requestId: id, by: 'the site', text });
  }

  private decided(id: string, { project, name }: Assignment, outcome: CommandOutcome): void {
    const { journal, log } = this.options;
    const again = this.settled.has(id);
    if (this.settled.size >= REMEMBERED_MAX) this.settled.clear();
    this.settled.set(id, performance.now());
    const text = outcome.ok ? undefined : refusalOf(outcome);
    if (text === undefined) log.info('the hub knows again what is held here', { project, name });
    else log.warn('the hub does not take up what is held here: it goes on', { project, name, reason: text });
    if (again) return;
    const became = outcome.ok ? 'accepted' : 'rejected';
    const why = text === undefined ? {} : { text };
    journal.state({ what: 'change-decided', requestId: id, outcome: became, ...why });
  }
}

function refusalOf({ title, issues }: Extract<CommandOutcome, { ok: false }>): string {
  const all = [title, ...issues.map((i) => `${i.path} ${i.problem}`)].join('; ');
  return all.slice(0, LIMITS.journalTextChars);
}

function idOf({ site, project, name, version }: Assignment): string {
  const which = [site, project, name, formatVersion(version)].join(' ');
  return `held-${createHash('sha256').update(which).digest('hex').slice(0, ID_CHARS)}`;
}
