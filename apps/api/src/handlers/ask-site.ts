import type { Bus } from '@skerry/bus';
import { HUB, parseAcross, type Site } from '@skerry/contracts';
import type { z } from 'zod';

/** Asks one site and waits for its answer; undefined when none comes in time. The subject says which site answers, not what it says. */
export async function askSite<T>(
  bus: Bus,
  site: Site,
  {
    verb,
    request,
    answer,
    waitMs,
  }: { verb: string; request: { id: string }; answer: z.ZodType<T>; waitMs: number },
): Promise<T | undefined> {
  let heard: (value: T | undefined) => void = () => undefined;
  const answered = new Promise<T | undefined>((resolve) => (heard = resolve));
  const listening = bus.listen(HUB.answer(site.account, request.id), (message) => {
    const parsed = parseAcross(answer, message.json());
    if (parsed.ok) heard(parsed.value);
  });
  const timer = setTimeout(() => heard(undefined), waitMs);
  try {
    bus.say(HUB.request(site.account, verb), request);
    return await answered;
  } finally {
    clearTimeout(timer);
    await listening.drain();
  }
}
