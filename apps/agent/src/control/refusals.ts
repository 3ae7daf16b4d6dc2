import { compareVersions, type Assignment, type CheckResult, type Version } from '@skerry/contracts';

/** What a version needs may be on its way out: so long it waits for room before it is refused. */
const REFUSE_AFTER_MS = 700;

/** What does not fit on the nodes of a site: what waits for room, and what was refused. */
export class Refusals {
  private readonly refused = new Map<string, { version: Version; misfit: CheckResult }>();
  private readonly waits = new Map<string, { version: string; since: number; timer: NodeJS.Timeout }>();

  /** `again` is called when a workload has waited for long enough, `changed` when its refusal is new or over. */
  constructor(
    private readonly again: (key: string) => void,
    private readonly changed: (key: string, misfit: CheckResult | undefined) => void,
  ) {}

  /** Why this version was refused; undefined when it was not, whatever became of earlier ones. */
  get(key: string, of: { version?: Version } | undefined): CheckResult | undefined {
    const refused = this.refused.get(key);
    const same = refused && of?.version && compareVersions(refused.version, of.version) === 0;
    return same === true ? refused?.misfit : undefined;
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

  /** Each version is refused anew, for the same reason too: the centre waits for an answer to that one. */
  refuse(key: string, { version }: Pick<Assignment, 'version'>, misfit: CheckResult): void {
    if (JSON.stringify(this.get(key, { version })) === JSON.stringify(misfit)) return;
    this.refused.set(key, { version, misfit });
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
