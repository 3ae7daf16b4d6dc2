import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { HubHearing } from './hub-hearing.js';

describe('whether the hub is heard', () => {
  it('turns for who was told that it is silent, though it is heard again before the next look', async () => {
    const bus = new MemoryBus(new MemoryServer());
    const turns: boolean[] = [];
    let silentMs = 10_000;
    const hearing = new HubHearing(bus, { silentMs: () => silentMs, turned: (silent) => turns.push(silent) });
    hearing.start();
    expect(hearing.silent).toBe(true);
    silentMs = 0;
    for (const end = Date.now() + 10_000; turns.length < 2; await new Promise((go) => setTimeout(go, 20)))
      if (Date.now() > end) throw new Error(`turned to ${turns.join()} alone`);
    hearing.stop();
    await bus.close();
    expect(turns).toEqual([true, false]);
  });
});
