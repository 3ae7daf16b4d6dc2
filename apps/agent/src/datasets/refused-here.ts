import { LIMITS, type RefusedHere } from '@skerry/contracts';

const WHY_CHARS = 300;
const BY_CHARS = 200;

/** What was refused to workloads at this node and the hub has not heard of: the same is counted, and of too many the oldest go. */
export class RefusalsHere {
  private readonly kept = new Map<string, RefusedHere>();
  private noted: () => void = () => undefined;

  /** Called when something is there that the hub has not heard of. */
  onNoted(listener: () => void): void {
    this.noted = listener;
  }

  note(of: Pick<RefusedHere, 'project' | 'name' | 'what' | 'by' | 'why'>): void {
    const last = new Date().toISOString();
    const [by, why] = [of.by.slice(0, BY_CHARS), of.why.slice(0, WHY_CHARS)];
    this.keep({ ...of, by, why, first: last, last, count: 1 });
    this.noted();
  }

  /** All of them, for the hub; what comes meanwhile is counted anew. */
  take(): RefusedHere[] {
    const all = [...this.kept.values()];
    this.kept.clear();
    return all;
  }

  /** The hub did not hear them. */
  putBack(refused: readonly RefusedHere[]): void {
    for (const one of [...refused, ...this.take()]) this.keep(one);
  }

  private keep(one: RefusedHere): void {
    const key = JSON.stringify([one.project, one.name, one.what, one.by, one.why]);
    const before = this.kept.get(key);
    this.kept.delete(key);
    this.kept.set(
      key,
      before === undefined ? one : { ...one, first: before.first, count: before.count + one.count },
    );
    const [oldest] = this.kept.keys();
    if (this.kept.size > LIMITS.refusalsPerGreeting && oldest !== undefined) this.kept.delete(oldest);
  }
}
