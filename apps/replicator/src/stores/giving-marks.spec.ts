import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { HUB, SITE } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { GivingMarks } from './giving-marks.js';

const CART = { project: 'shop', name: 'cart' };
const WITHIN_MS = 5_000;

describe('marks by which sites give each other records', () => {
  let bus: MemoryBus;
  let marks: GivingMarks;
  const passed: string[] = [];
  beforeEach(() => {
    passed.length = 0;
    bus = new MemoryBus(new MemoryServer());
    marks = new GivingMarks(bus, new JsonLog('replicator', '1', 'error', () => undefined));
    bus.listen(HUB.givenTo('*', '*'), (m) => void passed.push(m.subject));
  });
  afterEach(async () => {
    await marks.stop();
    await bus.close();
  });
  const told = async () => {
    const deadline = performance.now() + WITHIN_MS;
    while (marks.of(CART) === undefined && performance.now() < deadline) await turn();
    return marks.of(CART) ?? 'none';
  };
  const turn = async () => await new Promise((later) => setImmediate(later));
  /** Whether the server lets something pass that site `A` gives to site `B` by a mark. */
  const passes = async (mark: string) => {
    passed.length = 0;
    bus.say(`rpc.A.${SITE.give(mark, 'B').slice('rpc.'.length)}`, {});
    for (let n = 0; n < 5; n += 1) await turn();
    return passed.includes(HUB.givenTo('B', 'A'));
  };

  it('are none before the server has them, and none where the lease is another instance’s', async () => {
    expect(marks.of(CART)).toBeUndefined();
    marks.revoke(CART);
    marks.start(() => true);
    expect(marks.of(CART)).toBeUndefined();
    expect(await passes(await told())).toBe(true);
    await marks.stop();
    expect(marks.of(CART)).toBeUndefined();
  });

  it('are over for everybody when a rule changes, and those of others are not', async () => {
    marks.start(() => true);
    const before = await told();
    const other = { project: 'shop', name: 'basket' };
    const kept = marks.of(other) ?? 'none';
    expect(kept.split('.')[0]).not.toBe(before.split('.')[0]);
    marks.revoke(CART);
    await turn();
    expect([await passes(before), await passes(marks.of(CART) ?? ''), await passes(kept)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('are all over when another instance begins', async () => {
    marks.start(() => true);
    const before = await told();
    await marks.stop();
    marks.start(() => true);
    await told();
    expect([await passes(before), await passes(marks.of(CART) ?? '')]).toEqual([false, true]);
  });

  it('are none for who may not write any more, and told no server', async () => {
    let holds = true;
    marks.start(() => holds);
    const before = await told();
    holds = false;
    marks.revoke(CART);
    await turn();
    expect([marks.of(CART), await passes(before)]).toEqual([undefined, true]);
  });

  it('are told again until the server has heard them', async () => {
    const ensure = bus.ensureStream.bind(bus);
    let failures = 2;
    bus.ensureStream = async (definition) => {
      if (failures-- > 0) throw new Error('away');
      await ensure(definition);
    };
    marks.start(() => true);
    expect(await passes(await told())).toBe(true);
  });
});
