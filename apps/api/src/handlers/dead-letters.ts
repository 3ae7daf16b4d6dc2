import { Inject, Injectable } from '@nestjs/common';
import { type Bus, DeadLetters } from '@skerry/bus';
import {
  type DeadLetter,
  type RedeliverAnswer,
  redeliverAnswerSchema,
  type RedeliverRequest,
  Refusal,
  RPC,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import type { Caller } from '../http/caller.js';
import { requireRole } from '../http/require-role.js';

/** Dead letters in one answer. */
const PAGE = 200;
/** Handling one again may take as long as handling it took at first. */
const RETRY_WAIT_MS = 30_000;

/** What could not be handled: looked at by operators, retried and dropped by admins only. */
@Injectable()
export class HandleDeadLetters {
  private readonly letters: DeadLetters;

  constructor(@Inject(BUS) private readonly bus: Bus) {
    this.letters = new DeadLetters(bus);
  }

  /** From the oldest on, at most 200; `after` is the id of the last one seen. Bodies are left out: `one` shows them. */
  async list(after: number | undefined, caller: Caller): Promise<DeadLetter[]> {
    requireRole('operator', caller, 'look at dead letters');
    const found = await this.letters.list(after ?? 0, PAGE);
    return found.map(({ body: _body, ...letter }) => letter);
  }

  async one(id: number, caller: Caller): Promise<DeadLetter> {
    requireRole('operator', caller, 'look at dead letters');
    return this.existing(id);
  }

  /** Has its app handle it again; it is dropped when that went well. */
  async retry(id: number, caller: Caller): Promise<RedeliverAnswer> {
    requireRole('admin', caller, 'retry a dead letter');
    const { app } = await this.existing(id);
    const request: RedeliverRequest = { id };
    const answer = await this.bus.request(RPC.redeliver(app), request, { timeoutMs: RETRY_WAIT_MS });
    return redeliverAnswerSchema.parse(answer.json());
  }

  /** Throws it away for good; answers what it was. */
  async drop(id: number, caller: Caller): Promise<DeadLetter> {
    requireRole('admin', caller, 'drop a dead letter');
    const letter = await this.existing(id);
    await this.letters.drop(id);
    return letter;
  }

  private async existing(id: number): Promise<DeadLetter> {
    const letter = await this.letters.show(id);
    if (letter) return letter;
    throw new Refusal('not-found', `no dead letter ${id}`, { hint: 'see `skerry dlq ls`' });
  }
}
