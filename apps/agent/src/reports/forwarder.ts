import { setTimeout as sleep } from 'node:timers/promises';
import {
  done,
  retry,
  Unavailable,
  type Bus,
  type Outcome,
  type StoredMessage,
  type Subscription,
} from '@skerry/bus';
import { HEADERS, intakeAnswerSchema, parse, SITE, SITE_STREAMS } from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import { ByteWindow } from './byte-window.js';
import { MESSAGE_ID_HEADER, messageId } from './message-id.js';
import { WhileHubAnswers } from './while-hub-answers.js';

/** Reports on their way to the hub at once; those of one workload go one after the other. */
const WINDOW = 1_000;
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Short, since a hub that another site floods may lose a report on its way to the intake. */
const ANSWER_MS = 2_000;
/** A site's server that restarts forgets what is under way: it is taken up again after this long. */
const ACK_WAIT_MS = 3_000;
/** Pauses while the hub cannot be reached: short at first, so that little time is lost when it is back. */
const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;
/** So many answers in a row that do not come mean that the hub is away; that nobody listens means it at once. */
const MISSED = 3;
/** Pauses of a report for which the hub asked to wait. */
const THROTTLED_MS = 1_000;
const MAX_THROTTLED_MS = 8_000;

/** Its consumer on the outbox. */
export const FORWARDER = 'uplink';

export interface ForwarderOptions {
  /** The hub has stored this report. */
  onDelivered: (m: StoredMessage) => void;
  log: Log;
}

/**
 * Carries reports from the outbox to the hub and takes each out when the hub says that it is stored there. With nobody to hear
 * them they stay; the id that keeps a repeated one from being stored twice lies with the message. While the hub is away nothing
 * is taken out of the outbox: it is asked several times a second whether it is back, and then all goes at once.
 */
export async function startForwarder(bus: Bus, options: ForwarderOptions): Promise<Subscription> {
  const forwarder = new Forwarder(bus, options);
  await forwarder.open();
  return forwarder;
}

class Forwarder implements Subscription {
  private readonly window = new ByteWindow(WINDOW_BYTES);
  private readonly carrying: WhileHubAnswers;
  /** Answers in a row that did not come. */
  private missed = 0;

  constructor(
    private readonly bus: Bus,
    private readonly options: ForwarderOptions,
  ) {
    this.carrying = new WhileHubAnswers(bus, {
      log: options.log,
      open: async (ending) => await this.consume(ending),
    });
  }

  async open(): Promise<void> {
    await this.carrying.open();
  }

  async drain(): Promise<void> {
    await this.carrying.drain();
  }

  private async consume(ending: AbortSignal): Promise<Subscription> {
    this.missed = 0;
    return await this.bus.consume(
      {
        stream: SITE_STREAMS.OUT,
        durable: FORWARDER,
        app: 'agent',
        concurrency: WINDOW,
        maxDeliveries: Infinity,
        ackWaitMs: ACK_WAIT_MS,
      },
      async (m) => await this.forward(m, ending),
    );
  }

  private async forward(m: StoredMessage, ending: AbortSignal): Promise<Outcome> {
    const trace = m.headers[HEADERS.traceparent];
    const headers = {
      [MESSAGE_ID_HEADER]: m.headers[MESSAGE_ID_HEADER] ?? messageId(),
      ...(trace === undefined ? {} : { [HEADERS.traceparent]: trace }),
    };
    try {
      return await this.window.within(m.data.length, async () => {
        if (ending.aborted) return AT_ONCE;
        const answer = await this.bus.request(SITE.uplink(m.subject), m.data, {
          headers,
          timeoutMs: ANSWER_MS,
        });
        this.missed = 0;
        return await judge(m, answer.json(), { ...this.options, ending });
      });
    } catch (error) {
      this.options.log.debug('the hub did not take a report', { subject: m.subject, reason: reason(error) });
      this.missed += 1;
      if (!(error instanceof Unavailable) && this.missed < MISSED)
        return retry({ afterMs: pauseMs(m.deliveries) });
      this.carrying.away();
      return AT_ONCE;
    }
  }
}

const AT_ONCE = retry({ afterMs: 0 });

async function judge(
  m: StoredMessage,
  body: unknown,
  { onDelivered, log, ending }: ForwarderOptions & { ending: AbortSignal },
): Promise<Outcome> {
  const parsed = parse(intakeAnswerSchema, body);
  if (!parsed.ok) return retry({ afterMs: MAX_PAUSE_MS, reason: 'an answer of the intake that is none' });
  const answer = parsed.value;
  if (answer.ok) {
    onDelivered(m);
    return done;
  }
  if (answer.code === 'throttled') {
    // Waited for here, in its place of the window: else all that lies behind it would come at once, and count as a flood.
    await sleep(throttledMs(m.deliveries), undefined, { signal: ending }).catch(() => undefined);
    return retry({ afterMs: Math.min(answer.retryAfterMs, MAX_PAUSE_MS) });
  }
  if (answer.code === 'unavailable') return retry({ afterMs: Math.max(answer.retryAfterMs, MIN_PAUSE_MS) });
  log.error('the hub refuses a report for good', {
    alarm: 'report-refused',
    subject: m.subject,
    reason: answer.reason,
  });
  return done;
}

/** Spread a little, so that all that waited does not come back at the same moment. */
function pauseMs(deliveries: number): number {
  const pause = Math.min(MIN_PAUSE_MS * 2 ** Math.min(deliveries - 1, 10), MAX_PAUSE_MS);
  return spread(pause);
}

/** Twice as long each time: the hub takes this for patience, and less of it for a flood (`INTAKE_QUOTA.patience`). */
function throttledMs(deliveries: number): number {
  return spread(Math.min(THROTTLED_MS * 2 ** Math.min(deliveries - 1, 10), MAX_THROTTLED_MS));
}

const spread = (ms: number) => Math.round(ms * (0.75 + Math.random() * 0.5));
