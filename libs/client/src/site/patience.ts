import { ProblemError, Unreachable } from '../errors.js';
import { pause } from '../transport.js';

/** What who follows may say. */
export interface Followed {
  /** Ends it quietly. */
  signal?: AbortSignal;
  /** Called whenever the agent did not answer, and is asked again. */
  onBreak?: (reason: string) => void;
  /** How long an agent that does not answer is waited for, ms. Default 10 min. */
  patienceMs?: number;
}

const PATIENCE_MS = 10 * 60_000;
const BREAK_PAUSE_MS = 500;

/** How long somebody who follows bears with an agent that does not answer: it may just be started again. */
export class Patience {
  private heardAtMs = performance.now();

  constructor(private readonly options: Followed) {}

  /** Whether the follower has not ended it. */
  get goesOn(): boolean {
    return this.options.signal?.aborted !== true;
  }

  heard(): void {
    this.heardAtMs = performance.now();
  }

  /** Waits a moment; false when the follower has ended it. Throws the error when it is for good, or has lasted too long. */
  async bears(error: unknown): Promise<boolean> {
    const { signal, onBreak, patienceMs = PATIENCE_MS } = this.options;
    if (!this.goesOn) return false;
    if (!mayPass(error) || performance.now() - this.heardAtMs >= patienceMs) throw error;
    onBreak?.(error.message);
    await pause(BREAK_PAUSE_MS, signal);
    return this.goesOn;
  }
}

/** Whether another try may go well. */
export function mayPass(error: unknown): error is Error {
  if (error instanceof ProblemError) return error.problem.status === 429 || error.problem.status === 503;
  return error instanceof Unreachable;
}
