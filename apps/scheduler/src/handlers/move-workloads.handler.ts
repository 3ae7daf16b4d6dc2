import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Message, Subscription } from '@skerry/bus';
import { moveRequestSchema, parse, Refusal, RPC, type Plan } from '@skerry/contracts';
import { BUS, CONFIG, JsonLog } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { PlaceWorkloads } from './place-workloads.handler.js';
import { ProposeMoves } from './propose-moves.js';

/** Requests that are remembered, so that a further try of one is told what the first has done. */
const REMEMBERED = 256;

/**
 * Makes the moves of a rebalance: asked for by its plan's id, or by itself every so often when it is told to. Only the active
 * instance answers, and only while it is active: the others could commit nothing.
 */
@Injectable()
export class MoveWorkloads {
  private answering: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly made = new Map<string, Plan>();

  private rebalancing = false;

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    private readonly propose: ProposeMoves,
    private readonly place: PlaceWorkloads,
    @Inject(CONFIG) private readonly config: SchedulerConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.answering ??= this.bus.respond(RPC.move, (message) => this.handle(message));
    const { rebalanceEveryMs } = this.config;
    if (rebalanceEveryMs === 0) return;
    this.timer ??= setInterval(() => this.byItself(), rebalanceEveryMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    const { answering } = this;
    this.answering = undefined;
    await answering?.drain();
  }

  /** Answers the plan as it is now. Its id is the one asked for: it is committed; another: nothing was. */
  private async handle(message: Message): Promise<Plan> {
    const request = parse(moveRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a request to move', { issues: request.issues });
    const { id, maxMoves, requestId } = request.value;
    const before = this.made.get(requestId);
    if (before) return before;
    const { plan, moves } = await this.propose.plan(maxMoves);
    if (plan.id !== id) return plan;
    if (!this.place.move(moves)) {
      throw new Refusal('conflict', 'what is placed has changed while this was decided', {
        hint: 'nothing was moved; plan again',
      });
    }
    this.remember(requestId, plan);
    return plan;
  }

  private byItself(): void {
    // One that takes longer than the time between two is not doubled.
    if (this.rebalancing) return;
    this.rebalancing = true;
    const { rebalancePercent } = this.config;
    this.propose
      .plan(this.propose.budget(rebalancePercent))
      .then(({ moves }) => {
        if (moves.length > 0 && this.place.move(moves))
          this.log.log('rebalanced', { workloads: moves.length });
      })
      .catch((error: unknown) => this.log.warn('rebalancing failed', error))
      .finally(() => (this.rebalancing = false));
  }

  private remember(requestId: string, plan: Plan): void {
    this.made.set(requestId, plan);
    const [oldest] = this.made.keys();
    if (this.made.size > REMEMBERED && oldest !== undefined) this.made.delete(oldest);
  }
}
