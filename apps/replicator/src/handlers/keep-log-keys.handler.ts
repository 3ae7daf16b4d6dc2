import { Inject, Injectable } from '@nestjs/common';
import { JsonLog } from '@skerry/service';
import { LogsStore } from '../stores/logs.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { WrappedKeysStore } from '../stores/wrapped-keys.store.js';
import { GiveEntries } from './give-entries.handler.js';
import { KeepKeys } from './keep-keys.handler.js';

/** Carries the keys of encrypted logs, of which nodes speak under a name of their own, with `rpc.logs`. */
@Injectable()
export class KeepLogKeys extends KeepKeys {
  constructor(
    wanted: WantedStore,
    // Named, since what the class below it names at these places would count here too.
    @Inject(LogsStore) logs: LogsStore,
    keys: WrappedKeysStore,
    @Inject(GiveEntries) private readonly give: GiveEntries,
    @Inject(JsonLog) log: JsonLog,
  ) {
    super(wanted, logs, keys, log);
  }

  /** From now on they come and go with what sites are told of their logs. */
  begin(): void {
    this.start((site) => this.give.ask(site));
    this.give.onHeld(async (site, { sealing }) => await this.heard(site, { store: sealing?.store, sealing }));
    this.give.onSealed((dataset, site, store) => this.newsOf(dataset, site, store));
  }
}
