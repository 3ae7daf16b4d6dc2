import { HELD_BACK, type Adopted, type Driver, type Ended, type Launch, type Started } from './driver.js';

/**
 * Pretends: no process, no port is opened, nothing is left on the machine. For benchmarks and tests.
 * The workload's environment says how: `MOCK_START_MS` until it runs (default 0), `MOCK_RUN_MS` after which it ends
 * (default: never), `MOCK_EXIT_CODE` with which (default 0), `MOCK_FAIL` to be refused with that text.
 */
export class MockDriver implements Driver {
  readonly name = 'mock';
  readonly durable = false;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private ended: (id: string, ended: Ended) => void = () => undefined;

  async start(launch: Launch): Promise<Started> {
    const { env } = launch;
    const fail = env['MOCK_FAIL'];
    if (fail !== undefined) return { ok: false, reason: fail };
    const startMs = milliseconds(env['MOCK_START_MS']);
    if (startMs !== undefined) await new Promise((go) => setTimeout(go, startMs).unref());
    if (!launch.mayBegin()) return HELD_BACK;
    const runMs = milliseconds(env['MOCK_RUN_MS']);
    if (runMs !== undefined) this.endAfter(launch.id, runMs, Number(env['MOCK_EXIT_CODE'] ?? 0));
    return { ok: true };
  }

  /** It runs for ever, so it always runs still; one that was to end by itself is taken to have ended meanwhile. */
  adopt(): Promise<Adopted> {
    return Promise.resolve({ alive: true });
  }

  stop(id: string): Promise<void> {
    this.cancel(id);
    return Promise.resolve();
  }

  release(id: string): Promise<void> {
    this.cancel(id);
    return Promise.resolve();
  }

  onEnded(listener: (id: string, ended: Ended) => void): void {
    this.ended = listener;
  }

  private endAfter(id: string, afterMs: number, code: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(id);
      this.ended(id, { code });
    }, afterMs).unref();
    this.timers.set(id, timer);
  }

  private cancel(id: string): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
  }
}

function milliseconds(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) || value <= 0 ? undefined : value;
}
