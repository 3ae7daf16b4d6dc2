import type { Bus } from '@skerry/bus';
import {
  parseAcross,
  proposalAnswerSchema,
  Refusal,
  SITE,
  workloadKey,
  type CommandOutcome,
  type DatasetRef,
  type DeclaredDataset,
  type HeldDatasetProposal,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';

const ANSWER_MS = 5_000;
/** Until what was not answered is proposed again, and until it is looked whether what was taken up is there. */
const RETRY_MS = 500;
/** What was decided is proposed again after this long: what was missing may be there. */
const AGAIN_MS = 4 * 60_000;
/** How the trouble with a copy begins; `skerry doctor` knows it by this. */
const UNKNOWN = 'the hub does not know ';
const TROUBLE_CHARS = 200;
/** Why a copy with nothing of what was declared brings nothing back. */
const NOT_DECLARED =
  'it was given by an older hub, or takes too much to declare, and does not come back by itself';

/** A copy or a log of this node. */
interface Held {
  readonly rule: DatasetRef & {
    incarnation: number;
    generation: number;
    declared?: DeclaredDataset | undefined;
  };
  trouble: string | undefined;
}

export interface LostAtHubOptions {
  site: string;
  /** What is held of a dataset, by its key. */
  of: (key: string) => Held | undefined;
  /** Has the hub say once more what is wanted here. */
  greet: () => void;
  log: Log;
}

/**
 * Proposes to the hub datasets that it gave to this site once and does not know any more: it was restored from an older backup. What
 * it takes up has its copies again, which then send what the hub lacks; what it does not stays here as it is, and is named.
 */
export class LostAtHub {
  private readonly waiting = new Set<string>();
  /** By key and incarnation: when it was decided, and why it was refused if it was. */
  private readonly settled = new Map<string, { atMs: number; outcome: CommandOutcome }>();
  private running = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: LostAtHubOptions,
  ) {}

  /** The hub has never heard of these. */
  heard(unknown: readonly (DatasetRef & { incarnation: number })[] = []): void {
    for (const { project, name, incarnation } of unknown) {
      const key = workloadKey(project, name);
      const copy = this.options.of(key);
      if (copy?.rule.incarnation === incarnation) this.waiting.add(key);
    }
    void this.run();
  }

  /** The hub knows of this copy. */
  known(copy: Held): void {
    if (copy.trouble?.startsWith(UNKNOWN) === true) copy.trouble = undefined;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    if (this.running || this.closed || this.waiting.size === 0) return;
    this.running = true;
    let looks = false;
    try {
      for (const key of this.waiting) {
        const became = await this.propose(key);
        if (became === 'again') continue;
        this.waiting.delete(key);
        looks ||= became === 'taken';
      }
    } catch (error) {
      this.options.log.debug('the hub does not decide on a dataset that it does not know', {
        reason: reason(error),
      });
    } finally {
      this.running = false;
    }
    if (looks || this.waiting.size > 0) this.later(looks);
  }

  private later(looks: boolean): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => {
      if (looks) this.options.greet();
      void this.run();
    }, RETRY_MS).unref();
  }

  /** `taken`: the hub has it, or soon will. */
  private async propose(key: string): Promise<'taken' | 'left' | 'again'> {
    const copy = this.options.of(key);
    if (copy === undefined || this.closed) return 'left';
    const { project, name, incarnation, generation, declared } = copy.rule;
    if (declared === undefined) {
      copy.trouble = troubleOf(copy, NOT_DECLARED);
      return 'left';
    }
    const id = `${key} ${incarnation}`;
    const settled = this.settled.get(id);
    if (settled !== undefined && performance.now() - settled.atMs < AGAIN_MS)
      return this.became(copy, settled.outcome);
    const { site } = this.options;
    const outcome = await this.ask({
      site,
      dataset: { project, name, incarnation, generation, declared },
    });
    if (outcome === undefined) return 'again';
    this.settled.set(id, { atMs: performance.now(), outcome });
    return this.decided(copy, outcome);
  }

  private async ask(body: HeldDatasetProposal): Promise<CommandOutcome | undefined> {
    try {
      const answer = await this.bus.request(SITE.proposal, body, { timeoutMs: ANSWER_MS });
      const parsed = parseAcross(proposalAnswerSchema, answer.json());
      if (!parsed.ok) throw new Error('an answer to a proposal that is none');
      return parsed.value.state === 'decided' ? parsed.value.outcome : undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // A hub of before takes none of datasets.
      this.options.log.debug('the hub takes no proposal', { reason: error.message });
      return undefined;
    }
  }

  private decided(copy: Held, outcome: CommandOutcome): 'taken' | 'left' {
    const { project, name } = copy.rule;
    const { log } = this.options;
    if (outcome.ok) log.info('the hub knows again a dataset that is held here', { project, name });
    else
      log.warn('the hub does not take up a dataset that is held here: its copy stays', {
        project,
        name,
        reason: outcome.title,
      });
    return this.became(copy, outcome);
  }

  /** Said of the copy each time: a write makes it forget what is wrong with it. */
  private became(copy: Held, outcome: CommandOutcome): 'taken' | 'left' {
    if (outcome.ok) this.known(copy);
    else copy.trouble = troubleOf(copy, outcome.title);
    return outcome.ok ? 'taken' : 'left';
  }
}

function troubleOf({ rule: { project, name } }: Held, why: string): string {
  return `${UNKNOWN}dataset ${project}/${name}: ${why}`.slice(0, TROUBLE_CHARS);
}
