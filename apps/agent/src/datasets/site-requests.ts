import type { Bus, Subscription } from '@skerry/bus';
import { parseAcross, SITE, type SiteDatasetAnswer } from '@skerry/contracts';
import type { z } from 'zod';
import type { Log } from '../log.js';
import { AnsweredOnce } from './answered-once.js';
import { refusalOf } from './refusal-of.js';

type Answer<Done> = { ok: true; answer: Done } | Extract<SiteDatasetAnswer, { ok: false }>;

/** What may be asked of a site. */
export interface Desk<Operation, Done> {
  about: 'dataset' | 'log' | 'object';
  schema: z.ZodType<{ id: string; operation: Operation }>;
  /** Does it; a `Refusal` that it throws is the answer. */
  operate: (operation: Operation) => Promise<Done>;
  /** Whether it may be done once only, however often it is asked for. */
  once: (operation: Operation) => boolean;
  /** Whether this agent speaks for the site: the others of it keep quiet. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site through the hub, which has looked at who they are. */
export function answerSiteRequests<Operation, Done>(bus: Bus, desk: Desk<Operation, Done>): Subscription {
  const answered = new AnsweredOnce<Answer<Done>>();
  const answer = async (body: unknown): Promise<void> => {
    if (!desk.acting()) return;
    const parsed = parseAcross(desk.schema, body);
    if (!parsed.ok) return desk.log.warn('a request that is none', { about: desk.about });
    const { id, operation } = parsed.value;
    const done = async () => await answerOf(async () => await desk.operate(operation));
    bus.say(SITE.answer(id), await answered.answer(id, desk.once(operation), done));
  };
  return bus.listen(SITE.request(desk.about), (m) => void answer(m.json()));
}

async function answerOf<Done>(run: () => Promise<Done>): Promise<Answer<Done>> {
  try {
    return { ok: true, answer: await run() };
  } catch (error) {
    return refusalOf(error);
  }
}
