import { Controller, Inject } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BucketChange, Message, StoredMessage } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  LIVE_HEARTBEAT,
  LIVE_STATUS,
  nodeSchema,
  RPC,
  siteSchema,
  siteStateSchema,
} from '@skerry/contracts';
import { OnChange, OnFollowed, OnPlain, OnRequest, type PlainMessage } from '@skerry/service';
import { z } from 'zod';
import { SiteProposals } from './handlers/site-proposals.js';
import { FleetStore } from './stores/fleet.store.js';
import { LiveStatusStore } from './stores/live-status.store.js';
import { OutcomesStore } from './stores/outcomes.store.js';
import { TOKEN_KEYS, TokensStore } from './stores/tokens.store.js';

/** Everything that api hears on the bus. */
@Controller()
export class HearingController {
  constructor(
    @Inject(TokensStore) private readonly tokens: TokensStore,
    @Inject(OutcomesStore) private readonly outcomes: OutcomesStore,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(LiveStatusStore) private readonly live: LiveStatusStore,
    @Inject(SiteProposals) private readonly proposals: SiteProposals,
  ) {}

  @OnChange(BUCKETS.identities, z.unknown(), { keys: [TOKEN_KEYS] })
  token(@Payload() change: BucketChange<unknown>): void {
    this.tokens.take(change);
  }

  @OnFollowed(bucketStream(BUCKETS.outcomes.name), { from: 'new' })
  outcome(@Payload() message: StoredMessage): void {
    this.outcomes.take(message);
  }

  @OnRequest(RPC.proposal)
  proposal(@Payload() message: Message): Promise<object> {
    return this.proposals.handle(message);
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(@Payload() change: BucketChange<unknown>): void {
    this.fleet.takeSite(change);
  }

  @OnChange(BUCKETS.siteStates, siteStateSchema)
  siteState(@Payload() change: BucketChange<unknown>): void {
    this.fleet.takeState(change);
  }

  @OnChange(BUCKETS.nodes, nodeSchema)
  node(@Payload() change: BucketChange<unknown>): void {
    this.fleet.takeNode(change);
  }

  // Read by the store: of a whole placement it needs two fields, and placements are what changes most.
  @OnChange(BUCKETS.placements, z.unknown())
  placement(@Payload() change: BucketChange<unknown>): void {
    this.fleet.takePlacement(change);
  }

  @OnPlain(LIVE_HEARTBEAT)
  heartbeat(@Payload() message: PlainMessage): void {
    const account = message.subject.split('.').at(-1) ?? '';
    this.fleet.takeHeartbeat(account, () => message.json(), Date.now());
  }

  @OnPlain(LIVE_STATUS)
  liveStatus(@Payload() message: PlainMessage): void {
    this.live.take(() => message.json());
  }
}
