import type { Assignment, CheckResult } from '@skerry/contracts';

/** What a version needs may be on its way out: so long it waits for room before it is refused. */
const REFUSE_AFTER_MS = 700;

/** What does not fit on the nodes of a site: what waits for room, and what was refused. */
export class Refusals {
  private readonly refused = new Map<string, CheckResult>();
  private readonly waits = new Map<string, { version: string; since: number; timer: NodeJS.Timeout }>();

  /** `again` is called when a workload has waited for long enough, `changed` when its refusal is new or over. */
  constructor(
    private readonly again: (key: string) => void,
    private readonly changed: (key: string, misfit: CheckResult | undefined) => void,
  ) {}

  get(key: string): CheckResult | undefined {
    return this.refused.get(key);
  }

  /** Whether this version has waited for room for long enough; begins to wait when it has not. */
  hasWaited(key: string, { version }: Assignment): boolean {
    const text = JSON.stringify(version);
    const wait = this.waits.get(key);
    if (wait?.version === text) return performance.now() - wait.since >= REFUSE_AFTER_MS;
    clearTimeout(wait?.timer);
    const timer = setTimeout(() => this.again(key), REFUSE_AFTER_MS + 1).unref();
    this.waits.set(key, { version: text, since: performance.now(), timer });
    return false;
  }

  refuse(key: string, misfit: CheckResult): void {
    if (JSON.stringify(this.refused.get(key)) === JSON.stringify(misfit)) return;
    this.refused.set(key, misfit);
    this.changed(key, misfit);
  }

  /** It fits, or is wanted no more. */
  forget(key: string): void {
    clearTimeout(this.waits.get(key)?.timer);
    this.waits.delete(key);
    if (this.refused.delete(key)) this.changed(key, undefined);
  }

  close(): void {
    for (const { timer } of this.waits.values()) clearTimeout(timer);
  }
}
