import type { Bus } from '@skerry/bus';
import { SERVER_MEMORY } from '@skerry/domain';
import { allotmentBucket, type AllotmentBook } from '../members/allotment-book.js';
import { reason, type Log } from '../log.js';

/** One question to the server: who owned it when it was put off, and when it is due. */
interface Question {
  owner: string;
  timer: NodeJS.Timeout;
}

/**
 * Says of singletons whether this node may begin them: when the site's server says still, longer after this node heard it
 * than it can forget, that they were given to it (`SERVER_MEMORY` of the domain). Of what is known from the disk nothing is
 * firm; what runs already needs no leave.
 */
export class FirmAllotments {
  private readonly firm = new Map<string, string>();
  private readonly questions = new Map<string, Question>();
  private bus: Bus | undefined;

  constructor(
    private readonly book: AllotmentBook,
    private readonly log: Log,
    /** Something may be another now. */
    private readonly changed: (key: string) => void,
  ) {}

  /** Asks this server from now on. */
  use(bus: Bus): void {
    this.bus = bus;
  }

  /** Whether this node may begin it. If not, the server is asked, and `changed` is called with the answer. */
  mayBegin(key: string): boolean {
    const owner = this.ownerOf(key);
    if (owner === undefined) return false;
    if (this.firm.get(key) === owner) return true;
    if (this.questions.get(key)?.owner !== owner) this.ask(key, owner);
    return false;
  }

  /** The book says something else of it: what was firm of an owner before is not any more. */
  heard(key: string): void {
    const owner = this.ownerOf(key);
    if (this.firm.get(key) !== owner) this.firm.delete(key);
    if (this.questions.get(key)?.owner !== owner) this.forget(key);
  }

  close(): void {
    for (const key of this.questions.keys()) this.forget(key);
  }

  private ask(key: string, owner: string): void {
    this.forget(key);
    const timer = setTimeout(() => void this.look(key, owner), SERVER_MEMORY.firmAfterMs).unref();
    this.questions.set(key, { owner, timer });
  }

  private async look(key: string, owner: string): Promise<void> {
    const question = this.questions.get(key);
    const lies = await this.lies(key).catch((error: unknown) => {
      this.log.debug('whom a singleton was given to cannot be asked', { key, reason: reason(error) });
      return false;
    });
    // Meanwhile it may have been taken away and given back.
    if (question === undefined || this.questions.get(key) !== question) return;
    this.questions.delete(key);
    if (lies && this.ownerOf(key) === owner) this.firm.set(key, owner);
    this.changed(key);
  }

  /** Whether the server has just what the book says. */
  private async lies(key: string): Promise<boolean> {
    if (this.bus === undefined) return false;
    const entry = await allotmentBucket(this.bus).get(key);
    return entry !== undefined && entry.revision === this.book.revisionOf(key);
  }

  private forget(key: string): void {
    clearTimeout(this.questions.get(key)?.timer);
    this.questions.delete(key);
  }

  /** Whom the book says that it was given to, the how manieth of this site; undefined: nobody. */
  private ownerOf(key: string): string | undefined {
    const { slots, moves = 0, tombstone } = this.book.get(key) ?? {};
    const node = tombstone === undefined ? (slots?.[0] ?? '') : '';
    return node === '' ? undefined : `${node} ${moves}`;
  }
}
