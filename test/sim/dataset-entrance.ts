import { Readable } from 'node:stream';
import { HUB, siteDatasetAnswerSchema, type DatasetAnswer, type DatasetOperation } from '@skerry/contracts';
import type { Timeline } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import type { SimNode } from './sim-node.js';
import type { SimSite } from './sim-site.js';

/** What came of an operation: an answer, or a refusal in words. */
export type Told<A = DatasetAnswer> = { ok: true; answer: A } | { ok: false; why: string };

/** An operation on one dataset, as it is asked for. */
export type Asked = Extract<DatasetOperation, { verb: 'get' | 'put' | 'delete' | 'count' | 'change' }>;

/** Whoever asks gives up after this long. */
const PATIENCE_MS = 10_000;
const ON_THE_SPOT_MS = 0.1;
const OK = 200;
const INTERNAL = 500;

/** Asks as a workload does: with the token of a replica, at the endpoint of the node where that runs. Undefined: no answer came. */
export function askAgent(
  timeline: Timeline,
  node: SimNode,
  { token, asked }: { token: string; asked: Asked },
): Promise<Told | undefined> {
  return askEndpoint(timeline, node, { token, request: requestOf(asked), answerIn });
}

/** Asks an agent's endpoint for whatever it answers. */
export function askEndpoint<A>(
  timeline: Timeline,
  { agentProcess, answers }: SimNode,
  { token, request, answerIn: read }: { token: string; request: object; answerIn: (body: unknown) => A },
): Promise<Told<A> | undefined> {
  return new Promise((resolve) => {
    if (agentProcess === undefined) return resolve(undefined);
    const giveUp = timeline.after(PATIENCE_MS, timeline.world, () => resolve(undefined));
    const answered = (status: number, text: string) =>
      timeline.after(ON_THE_SPOT_MS, timeline.world, () => {
        giveUp();
        const body: unknown = JSON.parse(text);
        if (status === INTERNAL) throw new Error(`the endpoint of an agent answers: ${text}`);
        resolve(status === OK ? { ok: true, answer: read(body) } : { ok: false, why: text });
      });
    timeline.after(ON_THE_SPOT_MS, agentProcess, () => {
      answers.some((answer) => answer(request, responseTo(answered), token));
    });
  });
}

/** Asks as people do: through the hub, by the way that api takes. Undefined: no answer came. */
export function askSite(
  cloud: Cloud,
  site: SimSite,
  id: string,
  operation: Asked,
): Promise<Told | undefined> {
  const read = (body: unknown) => {
    const { ok, ...rest } = siteDatasetAnswerSchema.parse(body);
    return ok && 'answer' in rest ? rest.answer : undefined;
  };
  return askThroughHub(cloud, site, { id, about: 'dataset', operation, answerIn: read });
}

/** Asks a site for whatever it answers; `answerIn` finds none in a refusal. */
export function askThroughHub<A>(
  cloud: Cloud,
  { spec: { account } }: SimSite,
  of: { id: string; about: string; operation: object; answerIn: (body: unknown) => A | undefined },
): Promise<Told<A> | undefined> {
  const { timeline, people } = cloud;
  const { id, about, operation } = of;
  return new Promise((resolve) => {
    let done = false;
    const end = (told: Told<A> | undefined) => {
      if (done) return;
      done = true;
      giveUp();
      void hears.drain();
      // Whoever waits for it goes on in a process that nothing stops.
      timeline.after(0, timeline.world, () => resolve(told));
    };
    const giveUp = timeline.after(PATIENCE_MS, timeline.world, () => end(undefined));
    const hears = people.listen(HUB.answer(account, id), (m) => {
      const answer = of.answerIn(m.json());
      end(answer === undefined ? { ok: false, why: refusalIn(m.json()) } : { ok: true, answer });
    });
    people.say(HUB.request(account, about), { id, operation });
  });
}

function refusalIn(body: unknown): string {
  const { ok: _ok, ...rest }: { ok?: unknown } = typeof body === 'object' && body !== null ? body : {};
  return JSON.stringify(rest);
}

function answerIn(body: unknown): DatasetAnswer {
  const parsed = siteDatasetAnswerSchema.parse({ ok: true, answer: body });
  if (!parsed.ok) throw new Error('an answer that is none');
  return parsed.answer;
}

function requestOf(asked: Asked) {
  const context = 'context' in asked ? asked.context : undefined;
  const headers = context === undefined ? {} : { 'skerry-context': context };
  return requestTo(`/v1/data/${asked.name}/${asked.key}`, METHODS[asked.verb], {
    headers,
    body: bodyOf(asked),
  });
}

/** As much of a request over HTTP as the endpoint looks at. */
export function requestTo(
  url: string,
  method: string,
  { body, headers = {} }: { body?: string | undefined; headers?: object },
) {
  const parts = Readable.from(body === undefined ? [] : [Buffer.from(body)]);
  return Object.assign(parts, { url, method, headers });
}

const METHODS = { get: 'GET', put: 'PUT', delete: 'DELETE', count: 'POST', change: 'POST' } as const;

function bodyOf(asked: Asked): string | undefined {
  switch (asked.verb) {
    case 'put':
      return asked.value;
    case 'count':
      return JSON.stringify({ count: asked.by });
    case 'change':
      return JSON.stringify({ add: asked.add, remove: asked.remove });
    default:
      return undefined;
  }
}

function responseTo(answered: (status: number, text: string) => void) {
  let status = 0;
  return {
    // All of it has come before it is answered.
    req: { complete: true },
    writeHead(code: number) {
      status = code;
    },
    end(text: string) {
      answered(status, text);
    },
  };
}
