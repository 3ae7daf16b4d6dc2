import { LIMITS, Refusal, type DigestRequest } from '@skerry/contracts';

/** Pages of one digest: as many as the hub takes of a whole site. */
const PAGES_MAX = 50;
/** Bytes of pages that wait for the rest of their digests, of all askers together. */
const BYTES_MAX = 8 * 1024 * 1024;
/** A digest whose next page does not come within this time is forgotten; one asks for an answer for 2 s. */
const KEPT_MS = 10_000;

interface Begun {
  items: DigestRequest['items'];
  pages: number;
  bytes: number;
  /** Monotonic ms. */
  at: number;
}

/** Digests that come in pages, until each is whole: at most one of each asker, and so many bytes of all. */
export class DigestPages {
  private readonly begun = new Map<string, Begun>();
  private bytes = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * All items, with the last page; undefined while there are more to come. Throws `Refusal` when a page is missing before this
   * one or a limit is reached: the asker begins anew later.
   */
  take(
    asker: string,
    { page, last, items }: DigestRequest,
    bytes: number,
  ): DigestRequest['items'] | undefined {
    this.forgetOld();
    const before = this.begun.get(asker);
    this.forget(asker);
    if (page !== (page === 0 ? 0 : before?.pages))
      throw new Refusal('conflict', 'a page of a digest without those before it');
    const all = page === 0 ? items : [...(before?.items ?? []), ...items];
    if (last) return all;
    const waits = { items: all, pages: page + 1, bytes: bytes + (page === 0 ? 0 : (before?.bytes ?? 0)) };
    this.admit(waits);
    this.begun.set(asker, { ...waits, at: this.now() });
    this.bytes += waits.bytes;
    return undefined;
  }

  private admit({ pages, bytes }: Pick<Begun, 'pages' | 'bytes'>): void {
    if (pages >= PAGES_MAX) throw new Refusal('too-large', `a digest of more than ${PAGES_MAX} pages`);
    if (this.begun.size >= LIMITS.nodesPerSite || this.bytes + bytes > BYTES_MAX)
      throw new Refusal('throttled', 'too many digests at once');
  }

  private forgetOld(): void {
    const since = this.now() - KEPT_MS;
    for (const [asker, { at }] of this.begun) if (at < since) this.forget(asker);
  }

  private forget(asker: string): void {
    this.bytes -= this.begun.get(asker)?.bytes ?? 0;
    this.begun.delete(asker);
  }
}
