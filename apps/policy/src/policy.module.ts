import { Module } from '@nestjs/common';
import { Gazetteer } from '@skerry/gazetteer';
import { Bootstrap } from './bootstrap.js';
import { Events } from './events.js';
import { AdmitHandler } from './handlers/admit.handler.js';
import { CommandHandler } from './handlers/command.handler.js';
import { CutOffHandler } from './handlers/cut-off.handler.js';
import { DecisionHandlers } from './handlers/decisions.js';
import { EventsHandler } from './handlers/events.handler.js';
import { HubHealthHandler } from './handlers/hub-health.handler.js';
import { JoinHandler } from './handlers/join.handler.js';
import { MembershipHandlers } from './handlers/membership.js';
import { QuotasHandler } from './handlers/quotas.handler.js';
import { RenewHandler } from './handlers/renew.handler.js';
import { RetiredHandler } from './handlers/retired.handler.js';
import { TicketHandler } from './handlers/ticket.handler.js';
import { PolicyController } from './policy.controller.js';
import { ClaimsKeeper } from './sites/claims-keeper.js';
import { Credentials } from './sites/credentials.js';
import { SiteAccounts } from './sites/site-accounts.js';
import { identityProvider, systemBusProvider } from './sites/system-bus.js';
import { DatasetsStore } from './stores/datasets.store.js';
import { Desk } from './stores/desk.js';
import { FollowedStores } from './stores/followed.js';
import { IdentitiesStore } from './stores/identities.store.js';
import { OutcomesStore } from './stores/outcomes.store.js';
import { Predecessors } from './stores/predecessors.js';
import { QuotasStore } from './stores/quotas.store.js';
import { SitesStore } from './stores/sites.store.js';
import { WorkloadsStore } from './stores/workloads.store.js';
import { Warrants } from './warrants.js';

const HANDLERS = [
  AdmitHandler,
  CommandHandler,
  CutOffHandler,
  DecisionHandlers,
  EventsHandler,
  HubHealthHandler,
  JoinHandler,
  MembershipHandlers,
  QuotasHandler,
  RenewHandler,
  RetiredHandler,
  TicketHandler,
];
const STORES = [
  DatasetsStore,
  Desk,
  FollowedStores,
  IdentitiesStore,
  OutcomesStore,
  Predecessors,
  QuotasStore,
  SitesStore,
  WorkloadsStore,
];
const SITES = [ClaimsKeeper, Credentials, SiteAccounts, identityProvider, systemBusProvider];

@Module({
  controllers: [PolicyController],
  providers: [...HANDLERS, ...STORES, ...SITES, Bootstrap, Events, Gazetteer, Warrants],
})
export class PolicyModule {}
