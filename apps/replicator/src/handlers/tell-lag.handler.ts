import { Inject, Injectable } from '@nestjs/common';
import type { Bus, Message, Subscription } from '@skerry/bus';
import { behindRequestSchema, parse, Refusal, RPC, type BehindAnswer } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { CopiesStore } from '../stores/copies.store.js';
import { RecordsStore } from '../stores/records.store.js';

/** Says how far copies of a dataset are behind what lies in `REP`: numbers and times alone, nothing of what is in the records. */
@Injectable()
export class TellLag {
  private answering: Subscription | undefined;

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    private readonly copies: CopiesStore,
    private readonly records: RecordsStore,
  ) {}

  start(): void {
    this.answering ??= this.bus.respond(RPC.behind, async (message) => await this.answer(message));
  }

  async stop(): Promise<void> {
    const { answering } = this;
    this.answering = undefined;
    await answering?.drain();
  }

  private async answer(message: Message): Promise<BehindAnswer> {
    const request = parse(behindRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'no places in a dataset', { issues: request.issues });
    const { project, name, after } = request.value;
    const dataset = this.copies.named(project, name);
    if (dataset === undefined) throw new Refusal('not-found', `there is no dataset ${project}/${name}`);
    const head = await this.records.head(dataset);
    const places: BehindAnswer['places'] = [];
    // One after the other: most copies are at the same place, and who is far behind costs the server a search.
    for (const place of new Set(after)) {
      const { records, sinceMs } = await this.records.behind(dataset, place);
      const since = sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() };
      places.push({ after: place, records, ...since });
    }
    return { head, places };
  }
}
