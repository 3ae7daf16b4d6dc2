import { Repeated } from './repeated.js';

/** Jobs that go to the disk together. */
const JOBS_AT_ONCE = 512;
/** Between two rests at most. */
const BATCHES_A_REST = 256;

interface Job<D> {
  run: (draft: D) => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** What is kept by whom jobs are done for. */
export interface Committing<D> {
  /** What a batch begins with: a copy that nobody else sees. */
  begin: () => D;
  /** Writes what a batch has made of it; rejects when it is not written, and then nothing of it counts. */
  commit: (draft: D) => Promise<void>;
  /** Called with nothing being written: when nothing waits any more, and now and then when that does not end. */
  rest: () => Promise<void>;
}

/** Does jobs in their order, many of them with one write to the disk. */
export class GroupCommit<D> {
  private readonly jobs: Job<D>[] = [];
  private readonly worker = new Repeated(async () => await this.work());

  constructor(private readonly options: Committing<D>) {}

  /** Resolves when what it changes is written. A job that throws is rejected alone. */
  async do(run: (draft: D) => void): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.jobs.push({ run, resolve, reject }));
    this.worker.ask();
    await done;
  }

  /** Has a rest soon, whether there is something to do or not. */
  ask(): void {
    this.worker.ask();
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.worker.settled();
  }

  private async work(): Promise<void> {
    for (let batches = 1; this.jobs.length > 0; batches += 1) {
      await this.batch(this.jobs.splice(0, JOBS_AT_ONCE));
      if (batches % BATCHES_A_REST === 0) await this.options.rest();
    }
    await this.options.rest();
  }

  private async batch(jobs: readonly Job<D>[]): Promise<void> {
    const draft = this.options.begin();
    const done = jobs.filter((job) => {
      try {
        job.run(draft);
        return true;
      } catch (error) {
        job.reject(error);
        return false;
      }
    });
    try {
      await this.options.commit(draft);
      for (const job of done) job.resolve();
    } catch (error) {
      for (const job of done) job.reject(error);
    }
  }
}
