import type { ChunkRef } from '@skerry/contracts';

/** A site that brought nothing for so long of what it was to bring is not waited for. */
const QUIET_MS = 5_000;
/** However much it brings: 64 MiB take that long at 0.5 MiB a second. Then a chunk may travel twice. */
const LONGEST_MS = 128_000;
/** Who asked for a chunk in vain comes again within this time: nobody who had his time takes it from him. */
const ASKS_AGAIN_MS = 10_000;
/** Chunks that are remembered, of all datasets; with more all are forgotten, and some may be brought twice. */
const MOST = 10_000;

/** A site is to bring a chunk. */
interface Claim {
  site: string;
  /** Monotonic ms, as all times here. */
  at: number;
  /** When another site that has the chunk asked last. */
  wantedAt?: number;
}

/**
 * Which site brings which chunk that the hub lacks: of what the hub has lost, and several sites have, each chunk travels once. Who
 * asks again keeps nothing by that: only who brings does. A dataset is given as text.
 */
export class Bringers {
  /** By dataset and digest. */
  private readonly claims = new Map<string, Claim>();
  /** By dataset and site, when it last brought a chunk that it was to bring. */
  private readonly brought = new Map<string, number>();

  /** Of what the hub lacks the part that this site is to bring now: what no other one brings, at most so many. */
  share(
    dataset: string,
    site: string,
    { lacking, most, now }: { lacking: readonly ChunkRef[]; most: number; now: number },
  ): ChunkRef[] {
    const mine = lacking
      .filter(({ digest }) => !this.isOthers(dataset, digest, { site, now }))
      .slice(0, most);
    if (this.claims.size + mine.length > MOST) this.claims.clear();
    for (const { digest } of mine) this.claim(dataset, digest, { site, now });
    return mine;
  }

  /** It came. */
  came(dataset: string, site: string, { digest, now }: { digest: string; now: number }): void {
    const key = `${dataset} ${digest}`;
    const claim = this.claims.get(key);
    this.claims.delete(key);
    if (claim?.site !== site) return;
    if (this.brought.size >= MOST) this.brought.clear();
    this.brought.set(`${dataset} ${site}`, now);
  }

  forget(): void {
    this.claims.clear();
    this.brought.clear();
  }

  private isOthers(dataset: string, digest: string, { site, now }: { site: string; now: number }): boolean {
    const claim = this.claims.get(`${dataset} ${digest}`);
    if (claim === undefined) return false;
    const holds = this.holds(dataset, claim, now);
    if (claim.site === site)
      return !holds && claim.wantedAt !== undefined && now - claim.wantedAt < ASKS_AGAIN_MS;
    if (holds) claim.wantedAt = now;
    return holds;
  }

  private claim(dataset: string, digest: string, { site, now }: { site: string; now: number }): void {
    const key = `${dataset} ${digest}`;
    const claim = this.claims.get(key);
    if (claim?.site !== site || !this.holds(dataset, claim, now)) this.claims.set(key, { site, at: now });
  }

  private holds(dataset: string, { site, at }: Claim, now: number): boolean {
    const last = Math.max(at, this.brought.get(`${dataset} ${site}`) ?? at);
    return now - last < QUIET_MS && now - at < LONGEST_MS;
  }
}
