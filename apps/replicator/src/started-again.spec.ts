import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { STREAMS } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { AccessRulesStore } from './stores/access-rules.store.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { CopyUsersStore } from './stores/copy-users.store.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';
import { DurablesStore } from './stores/durables.store.js';
import { HomesStore } from './stores/homes.store.js';
import { RecordsStore } from './stores/records.store.js';
import { SiteStores } from './stores/site-stores.js';
import { WantedStore } from './stores/wanted.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

/** What is started with a lease, and again while the start of something else fails. */
interface Work {
  start(): void | Promise<void>;
  stop(): void | Promise<void>;
}

function every(bus: MemoryBus): Record<string, Work> {
  const log = new JsonLog('replicator', '1', 'error', () => undefined);
  const [wanted, delivered, sets] = [new WantedStore(), new DeliveredStore(), new CopySetsStore(bus)];
  const downlink = new DownlinkStore(delivered, bus, log);
  const stores = new SiteStores(delivered, downlink, new DurablesStore(bus));
  const records = new RecordsStore(bus, log);
  const copies = new CopiesStore(wanted, sets, new WrappedKeysStore(bus), new HomesStore(bus));
  const choose = new ChooseCopies(copies, sets, new CopyUsersStore(wanted), records, log);
  const guard = new GuardDownlink(delivered, downlink, { guardEveryMs: 60_000 }, log);
  const writers = { pause: async () => undefined, resume: async () => undefined };
  return {
    'what gives copies': new GiveCopies(wanted, copies, records, bus, log),
    'what delivers access': new DeliverAccess(wanted, stores, new AccessRulesStore(), log),
    'what chooses copies': { start: () => choose.start(() => undefined), stop: () => choose.stop() },
    'what guards DL': { start: () => guard.start(writers), stop: () => guard.stop() },
  };
}

/** Ways to hear of something that are open. */
function counted(bus: MemoryBus): () => number {
  let open = 0;
  const onConnection = bus.onConnection.bind(bus);
  bus.onConnection = (listener) => {
    const unlisten = onConnection(listener);
    open += 1;
    return () => {
      open -= 1;
      unlisten();
    };
  };
  const follow = bus.follow.bind(bus);
  bus.follow = async (...given) => {
    const following = await follow(...given);
    const drain = following.drain.bind(following);
    open += 1;
    following.drain = async () => {
      open -= 1;
      await drain();
    };
    return following;
  };
  return () => open;
}

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

describe('after it was started twice and stopped once, nothing is left of', () => {
  let bus: MemoryBus;
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureStream(STREAMS.DL);
  });
  afterEach(async () => {
    await bus.close();
  });

  it.each(['what gives copies', 'what delivers access', 'what chooses copies', 'what guards DL'])(
    '%s',
    async (name) => {
      const open = counted(bus);
      const work = every(bus)[name];
      const before = timers();
      await work?.start();
      expect(open() + timers()).toBeGreaterThan(before);
      await work?.start();
      await work?.stop();
      expect([open(), timers()]).toEqual([0, before]);
    },
  );
});
