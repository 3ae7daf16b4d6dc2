import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { z } from 'zod';
import { InStep, type News } from './in-step.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const refSchema = z.object({ project: z.string(), name: z.string(), incarnation: z.number() });
type Ref = z.infer<typeof refSchema>;
const newsSchema = z.object({ wanted: z.array(z.object({ rule: refSchema })), gone: z.array(refSchema) });
const NEWS = 'test.news';

describe('datasets of one kind that are kept in step', () => {
  let bus: MemoryBus;
  let hub: MemoryBus;
  let inStep: InStep<{ rule: Ref }, Ref, Ref>;
  let answer: News<{ rule: Ref }, Ref>;
  let broken: Set<string>;
  let asked: number;
  let kept: Map<string, { rule: Ref }>;
  let heard: string[];
  const ref = (name: string): Ref => ({ project: 'p', name, incarnation: 1 });
  const check = ({ name }: Ref) => {
    if (broken.has(name)) throw new Error(`the disk does not take ${name}`);
  };
  beforeEach(() => {
    const server = new MemoryServer();
    [bus, hub] = [new MemoryBus(server), new MemoryBus(server)];
    [answer, broken, asked, heard] = [{ wanted: [], gone: [] }, new Set(), 0, []];
    kept = new Map(['a', 'b'].map((name) => [`p.${name}`, { rule: ref(name) }]));
    const kind = {
      what: 'things',
      news: { subject: NEWS, schema: newsSchema },
      deliveries: { subject: 'test.delivery', schema: refSchema },
      greet: async () => {
        asked += 1;
        return await Promise.resolve(answer);
      },
      keys: () => [...kept.keys()],
      kept: (key: string) => kept.get(key),
      want: async (rule: Ref) => {
        const key = `p.${rule.name}`;
        const there = kept.get(key) ?? { rule };
        kept.set(key, there);
        return await Promise.resolve(there);
      },
      forget: async (key: string, gone: Ref) => {
        check(gone);
        return await Promise.resolve(kept.delete(key));
      },
      way: (key: string) => ({
        incarnation: 1,
        heardWhere: async ({ rule }: { rule: Ref }) => {
          check(rule);
          heard.push(key);
          await Promise.resolve();
        },
        hear: ignore,
        send: ignore,
        stop: ignore,
      }),
    };
    inStep = new InStep(bus, kind, { silentMs: () => 0, log });
    inStep.start();
  });
  afterEach(async () => {
    await inStep.stop();
    await bus.close();
    await hub.close();
  });
  const until = async (holds: () => boolean) => {
    for (const end = Date.now() + 10_000; !holds(); await new Promise((tick) => setTimeout(tick, 5)))
      if (Date.now() > end) throw new Error(`not so after 10 s: ${heard.join()}`);
  };

  it('are all heard of, and all forgotten, also when one before them fails, which is asked for again', async () => {
    broken = new Set(['a', 'c']);
    answer = { wanted: [{ rule: ref('c') }, { rule: ref('d') }], gone: [ref('a'), ref('b')] };
    hub.say(NEWS, answer);
    await until(() => heard.includes('p.d') && !kept.has('p.b') && asked > 2);
    expect([kept.has('p.a'), heard.includes('p.c')]).toEqual([true, false]);
    broken.clear();
    await until(() => heard.includes('p.c') && !kept.has('p.a'));
  });
});
