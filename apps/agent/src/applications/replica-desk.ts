import { TimedOut, Unavailable, type Bus, type HeardMessage, type Subscription } from '@skerry/bus';
import { APP, LIMITS, Refusal, type Ownership } from '@skerry/contracts';
import { known, type Caller } from '../datasets/ask-dataset.js';
import { problemOf } from '../datasets/refusal-of.js';
import { reason, type Log } from '../log.js';
import { noSingleton } from '../singletons/no-singleton.js';
import { askBySubject, type AppDesk, type AskedBySubject } from './ask-by-subject.js';
import { isToldChanges, tellChanges } from './tell-changes.js';

const HEADER_CHARS = 300;
/** The same is said once in this time. */
const SAY_AGAIN_MS = 1_000;

export interface ReplicaDeskOptions {
  bus: Bus;
  replica: string;
  desk: AppDesk;
  /** Whose replica it is; undefined once it has ended. */
  caller: () => Caller | undefined;
  ownership: () => Ownership | undefined;
  log: Log;
}

/** Answers one replica. That it is this one the server has looked at: it alone may say what carries its id. */
export class ReplicaDesk {
  private open = 0;
  private readonly watches = new Set<AbortController>();
  private readonly hears: Subscription;
  private readonly inbox: string;
  /** Questions whose answers would go elsewhere, and when that was said last. */
  private astray = 0;
  private saidAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ReplicaDeskOptions) {
    const { bus, replica } = options;
    this.inbox = `${APP.inbox(replica)}.`;
    this.hears = bus.listen(APP.all(replica), (m) => this.hear(m));
  }

  /** Hears no more; who watches is told so. */
  async close(): Promise<void> {
    for (const watch of this.watches) watch.abort();
    await this.hears.drain();
  }

  private hear(m: HeardMessage): void {
    const { replica, log } = this.options;
    if (m.replyTo === undefined) return;
    // This agent may say more than a replica: whatever it answers goes to that replica alone.
    if (!m.replyTo.startsWith(this.inbox)) {
      this.astray += 1;
      if (performance.now() - this.saidAt < SAY_AGAIN_MS) return;
      this.saidAt = performance.now();
      const { inbox, astray: questions } = this;
      log.warn('questions whose answer would go elsewhere are not answered', { replica, inbox, questions });
      return;
    }
    this.open += 1;
    this.answer(m, m.replyTo)
      .catch((error: unknown) => refuse(m, error))
      .catch((error: unknown) => log.debug('an answer was not sent', { replica, reason: reason(error) }))
      .finally(() => (this.open -= 1));
  }

  private async answer(m: HeardMessage, inbox: string): Promise<void> {
    const { replica, desk, ownership } = this.options;
    if (this.open > LIMITS.appRequests)
      throw new Refusal('throttled', 'too many questions at once', {
        hint: `at most ${LIMITS.appRequests} of one replica (limit appRequests)`,
      });
    const caller = known(this.options.caller());
    const [name = '', verb, ...more] = APP.askedIn(replica, m.subject);
    if (verb === undefined && name === 'ownership') {
      const owned = ownership();
      if (owned === undefined) throw noSingleton();
      return m.reply?.(owned);
    }
    if (verb === undefined || more.length > 0)
      throw new Refusal('not-found', `${m.subject} is not answered here`, {
        hint: 'app.<replica>.<dataset>.<verb>, and app.<replica>.ownership',
      });
    const asked = { caller, name, verb, body: bodyOf(m) };
    if (isToldChanges(verb)) return this.watch(asked, m, inbox);
    m.reply?.(await askBySubject(desk, asked));
  }

  private watch(asked: AskedBySubject, m: HeardMessage, inbox: string): void {
    if (this.watches.size >= LIMITS.appWatches)
      throw new Refusal('throttled', 'too many watches at once', {
        hint: `at most ${LIMITS.appWatches} of one replica (limit appWatches)`,
      });
    const { replica, log } = this.options;
    const ends = new AbortController();
    this.watches.add(ends);
    this.tell(asked, inbox, ends.signal)
      .catch((error: unknown) => refuse(m, error))
      .catch((error: unknown) => log.debug('an end was not told', { replica, reason: reason(error) }))
      .finally(() => this.watches.delete(ends));
  }

  /** One message after the other, each when the one before was answered: what changes meanwhile is in the next. */
  private async tell(asked: AskedBySubject, inbox: string, signal: AbortSignal): Promise<void> {
    const { bus, desk } = this.options;
    const changes = tellChanges(desk, asked);
    try {
      for (;;) {
        const { value } = await unlessEnded(changes.next(), signal);
        await unlessEnded(bus.request(inbox, value, { timeoutMs: LIMITS.appUnansweredMs }), signal);
        known(this.options.caller());
      }
    } catch (error) {
      // Nobody is there any more.
      if (error instanceof Unavailable) return;
      if (!(error instanceof TimedOut)) throw error;
      throw new Refusal('timeout', 'a message of this watch was not answered', {
        hint: `answer each within ${LIMITS.appUnansweredMs} ms (limit appUnansweredMs); ask again with the newest since`,
      });
    }
  }
}

/** What comes of it, or a `Refusal` once the signal says so; nothing of either is kept after. */
async function unlessEnded<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const end = () => reject(new Refusal('unavailable', 'the agent ends this watch'));
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    void task.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

function refuse(m: HeardMessage, error: unknown): void {
  const problem = problemOf(error);
  const title = problem.title.replace(/[^\x20-\x7e]+/g, ' ').slice(0, HEADER_CHARS);
  m.reply?.(problem, { headers: { [APP.error]: title, [APP.errorCode]: String(problem.status) } });
}

/** Nothing is the same as `{}`. */
function bodyOf(m: HeardMessage): object {
  if (m.data.length === 0) return {};
  let value: unknown;
  try {
    value = m.json();
  } catch {
    throw new Refusal('malformed', 'the body is no JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new Refusal('malformed', 'the body is no JSON object');
}
