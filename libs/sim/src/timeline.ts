import { SimProcess, type ProcessOptions } from './sim-process.js';

/** What happens at a moment, in one process. */
interface Event {
  at: number;
  /** Ties are broken by who was first. */
  order: number;
  process: SimProcess;
  act: () => void;
  cancelled: boolean;
}

/** More events than this in one simulation: something goes round in circles. */
const STEPS_MAX = 500_000;

/** The real one, taken before anything replaces it. */
const nextTurn = setImmediate;

/** Events that happen before the runtime gets a turn of its own. */
const AT_A_STRETCH = 1_000;

/** Runs what is due of promises and ticks, as the runtime does between two callbacks of its own. Only in such a callback. */
function settle(): void {
  const run: unknown = Reflect.get(process, '_tickCallback');
  if (typeof run !== 'function')
    throw new Error('this version of Node has no way to settle promises in place');
  Reflect.apply(run, process, []);
}

/**
 * Virtual time. Events happen one after the other in the order of their moments; after each, everything that it set in motion
 * (promises that it settled) comes to rest before the next. So each event runs in one process, and `current` is who that is.
 */
export class Timeline {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Events that have happened. */
  steps = 0;
  readonly world: SimProcess;
  current: SimProcess;
  private readonly heap: Event[] = [];
  private order = 0;
  private processes = 0;

  /** `onThrow`: something threw where nobody catches; in a real process that is a crash. */
  constructor(private readonly onThrow: (process: SimProcess, error: unknown) => void) {
    this.world = this.process('world');
    this.current = this.world;
  }

  process(name: string, options: ProcessOptions = {}): SimProcess {
    this.processes++;
    return new SimProcess(this, name, { id: this.processes, ...options });
  }

  /** Lets something happen at a moment; returns how to call it off. */
  at(moment: number, process: SimProcess, act: () => void): () => void {
    const event = { at: Math.max(moment, this.now), order: this.order++, process, act, cancelled: false };
    this.push(event);
    return () => {
      event.cancelled = true;
    };
  }

  after(ms: number, process: SimProcess, act: () => void): () => void {
    return this.at(this.now + ms, process, act);
  }

  /** Lets time pass until a moment, or until `stop` says so after an event. */
  async run(until: number, stop: () => boolean = () => false): Promise<void> {
    for (let over = false; !over;) {
      over = await new Promise<boolean>((resolve, reject) => {
        nextTurn(() => {
          try {
            resolve(this.stretch(until, stop));
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
    }
  }

  /** Whether there is no more to happen until then. */
  private stretch(until: number, stop: () => boolean): boolean {
    for (let n = 0; n < AT_A_STRETCH; n++) {
      const event = this.heap[0];
      if (event === undefined || event.at > until) {
        this.now = Math.max(this.now, until);
        return true;
      }
      this.pop();
      if (event.cancelled || !event.process.takes(event.act)) continue;
      this.now = event.at;
      this.steps++;
      if (this.steps > STEPS_MAX) {
        throw new Error(`more than ${STEPS_MAX} steps: ${event.process.name} goes round in circles`);
      }
      this.enter(event);
      // Only when all that is on its way inside this process has come to rest.
      settle();
      if (stop()) return true;
    }
    return false;
  }

  private enter({ process, act }: Event): void {
    this.current = process;
    try {
      act();
    } catch (error) {
      this.onThrow(process, error);
    }
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) child++;
      const least = heap[child];
      if (least === undefined || !isBefore(least, last)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
