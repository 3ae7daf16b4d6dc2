import type { OnAlarm } from './alarm.js';
import type { Bus, Following, FollowOptions, StoredMessage } from './bus.js';
import type { Clock } from './clock.js';

export interface StoreFollowOptions extends FollowOptions {
  /** Messages come without their bodies. */
  headersOnly?: boolean;
  /** Called after `onRestart`, when all that lay in the other stream was handled; before anything newer is. */
  onRestarted?: () => void | Promise<void>;
}

/** What buckets and leases need of a bus beyond its public face; each implementation has it. */
export interface Store extends Pick<Bus, 'publish' | 'publishBatch' | 'newest'> {
  readonly clock: Clock;
  readonly onAlarm: OnAlarm;
  /** As `Bus.follow`. */
  follow(
    stream: string,
    handler: (m: StoredMessage) => void | Promise<void>,
    options: StoreFollowOptions,
  ): Promise<Following>;
}
