import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { matches, MemoryBus, MemoryServer } from '@skerry/bus';
import { RECORDS_EPOCH, STREAMS } from '@skerry/contracts';
import { isOfAnother } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { answerNewest } from './newest-of-memory.suite.js';
import { RecordsStore } from './records.store.js';

const LOST_MS = 60_000;
const ORIGIN = 's1.0011223344556677';
const of = (incarnation: number) => ({ project: 'shop', name: 'cart', incarnation });
const record = (write: number) => ({
  key: `k${write}`,
  write,
  state: { rule: 'counter' as const, counts: { [ORIGIN]: [write, 0] as [number, number] } },
});

describe('records of a dataset that is removed or made again, or that the hub has lost', () => {
  let server: MemoryServer;
  let buses: MemoryBus[];

  beforeEach(async () => {
    server = new MemoryServer(undefined, { unsyncedMs: LOST_MS });
    buses = [new MemoryBus(server), new MemoryBus(server)];
    await buses[0]?.ensureStream(STREAMS.REP);
    for (const bus of buses.slice(0, 1)) answerNewest(bus, server, STREAMS.REP.name);
  });
  afterEach(async () => {
    for (const bus of buses) await bus.close();
  });

  const left = () =>
    server.streams.get(STREAMS.REP.name)?.newestOfEach((subject) => matches('rep.>', subject)).length;

  function storeOn(bus: MemoryBus | undefined): { bus: MemoryBus; store: RecordsStore } {
    if (bus === undefined) throw new Error('no such bus');
    return { bus, store: new RecordsStore(bus, new JsonLog('replicator', '1', 'error', () => undefined)) };
  }

  async function instance(bus: MemoryBus | undefined, holdsLease?: () => boolean): Promise<RecordsStore> {
    const { store } = storeOn(bus);
    await store.begin(holdsLease);
    return store;
  }

  it('are deleted when it is removed', async () => {
    const store = await instance(buses[0]);
    await store.append(of(1), ORIGIN, [record(1)]);
    await store.drop({ ...of(1), removed: true });
    expect(left()).toBe(0);
  });

  it('are deleted when it was made again, before anything is written to it', async () => {
    const store = await instance(buses[0]);
    await store.append(of(1), ORIGIN, [record(1)]);
    await store.drop({ ...of(3), removed: false });
    expect(left()).toBe(0);
  });

  it('are asked for again, and taken again, after the hub has lost them and who writes them', async () => {
    const store = await instance(buses[0]);
    await store.append(of(1), ORIGIN, [record(1)]);
    const { turns } = store;
    buses[0]?.cut();
    server.rewind(LOST_MS);
    buses[0]?.heal();
    expect(store.turns).toBeGreaterThan(turns);
    expect(await store.newestOf(of(1), ORIGIN)).toBe(0);
    expect(await store.head(of(1))).toBe(0);
    await store.append(of(1), ORIGIN, [record(1)]);
    expect(await store.newestOf(of(1), ORIGIN)).toBe(1);
  });

  it('are written on by an instance that was not told that its epoch began', async () => {
    const store = await instance(buses[0]);
    const [bus] = buses;
    if (bus === undefined) throw new Error('no such bus');
    const publish = bus.publish.bind(bus);
    bus.publish = async (...given) => {
      bus.publish = publish;
      await publish(...given);
      throw new Error('no answer');
    };
    bus.cut();
    bus.heal();
    await expect(store.append(of(1), ORIGIN, [record(1)])).rejects.toThrow('no answer');
    await store.append(of(1), ORIGIN, [record(1)]);
    expect(await store.allEpochs()).toHaveLength(3);
  });

  it('are of an epoch that begins with each writer and each break, and of no writer whom another one follows', async () => {
    const former = await instance(buses[0]);
    buses[0]?.cut();
    buses[0]?.heal();
    const [second, first] = await former.allEpochs();
    const active = await instance(buses[1]);
    expect((await active.allEpochs()).slice(1)).toEqual([second, first]);
    await expect(former.append(of(1), ORIGIN, [record(1)])).rejects.toThrow('wrong last sequence');
    await expect(former.append(of(1), ORIGIN, [record(1)])).rejects.toThrow('another instance has begun');
    await active.append(of(1), ORIGIN, [record(1)]);
  });

  it('are told apart from those of an epoch that was lost, though the next begins where it did', async () => {
    const store = await instance(buses[0]);
    const [lost] = await store.allEpochs();
    buses[0]?.cut();
    server.rewind(LOST_MS);
    buses[0]?.heal();
    const epochs = await store.allEpochs();
    expect(epochs.map(({ sequence }) => sequence)).toEqual([lost?.sequence]);
    expect(isOfAnother(epochs, { streamEpoch: store.newestEpoch, cursor: 20 })).toBe(false);
    expect(isOfAnother(epochs, { streamEpoch: lost?.mark, cursor: 20 })).toBe(true);
  });

  it('know the marks of the epochs before, and those from before there were marks by where they began', async () => {
    const old = await buses[1]?.publish(RECORDS_EPOCH, { at: '', by: 'old', earlier: [] });
    const former = await instance(buses[0]);
    const [first] = await former.allEpochs();
    const active = await instance(buses[1]);
    const before = { sequence: old?.sequence, mark: old?.sequence };
    expect((await active.allEpochs()).slice(1)).toEqual([first, before]);
  });

  it.each(['head', 'newestOf'] as const)('are known (%s) as written, not as read before', async (what) => {
    const [bus] = buses;
    const store = await instance(bus);
    if (bus === undefined) throw new Error('no such bus');
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const request = bus.request.bind(bus);
    bus.request = async (...given) => {
      bus.request = request;
      const answer = await request(...given);
      await held;
      return answer;
    };
    const reading = store[what](of(1), ORIGIN);
    const head = await store.append(of(1), ORIGIN, [record(1)]);
    goOn();
    expect(await reading).toBe(0);
    expect(await store[what](of(1), ORIGIN)).toBe(what === 'head' ? head : 1);
  });

  it('stay with who writes them when an instance that lost its lease is late to begin', async () => {
    const { bus, store: late } = storeOn(buses[0]);
    const publish = bus.publish.bind(bus);
    let active: RecordsStore | undefined;
    bus.publish = async (...given) => {
      bus.publish = publish;
      active = await instance(buses[1]);
      return await publish(...given);
    };
    await expect(late.begin()).rejects.toThrow('wrong last sequence');
    await active?.append(of(1), ORIGIN, [record(1)]);
    expect(left()).toBe(1);
  });

  it('stay with who writes them when an instance that begins is ended before it has', async () => {
    const active = await instance(buses[1]);
    const { store: ended } = storeOn(buses[0]);
    const beginning = ended.begin();
    ended.end();
    await expect(beginning).rejects.toThrow('ended meanwhile');
    await expect(ended.append(of(1), ORIGIN, [record(1)])).rejects.toThrow('not active');
    await active.append(of(1), ORIGIN, [record(1)]);
  });

  it('are written on by who holds the lease when one without it had begun, and read anew', async () => {
    const active = await instance(buses[0], () => true);
    expect(await active.newestOf(of(1), ORIGIN)).toBe(0);
    const late = await instance(buses[1]);
    await late.append(of(1), ORIGIN, [record(1)]);
    await expect(active.append(of(1), ORIGIN, [record(2)])).rejects.toThrow('wrong last sequence');
    await expect(active.append(of(1), ORIGIN, [record(2)])).rejects.toThrow('begun again');
    expect(await active.newestOf(of(1), ORIGIN)).toBe(1);
    await active.append(of(1), ORIGIN, [record(2)]);
    await expect(late.append(of(1), ORIGIN, [record(3)])).rejects.toThrow('wrong last sequence');
  });

  it.each([
    { heard: 'removed', ref: { ...of(1), removed: true } },
    { heard: 'made again', ref: { ...of(3), removed: false } },
  ])('stay when a former instance that stood still hears late that it was $heard', async ({ ref }) => {
    const former = await instance(buses[0]);
    const active = await instance(buses[1]);
    await active.append(of(3), ORIGIN, [record(1), record(2)]);
    await former.drop(ref);
    const { records } = await active.page(of(3), 0);
    expect(records.map(({ key }) => key)).toEqual(['k1', 'k2']);
  });
});
