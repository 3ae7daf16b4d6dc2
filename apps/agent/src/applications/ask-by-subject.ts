import { LIMITS, Refusal, workloadKey, type LogAnswer, type Tailed } from '@skerry/contracts';
import { askDataset, askHome, type Caller, type DatasetDesk } from '../datasets/ask-dataset.js';
import { askLog, type LogDesk } from '../datasets/logs/ask-log.js';

/** What replicas reach by subjects: the same as over HTTP, but for files. */
export interface AppDesk {
  datasets: DatasetDesk;
  logs: LogDesk;
}

/** A question of a replica: `app.<replica>.<name>.<verb>` with a JSON object. */
export interface AskedBySubject {
  caller: Caller;
  /** The dataset. */
  name: string;
  verb: string;
  body: object;
}

/** Each verb by what it does; `watch` and `follow` answer more than once. */
const DATASET_VERBS: ReadonlySet<string> = new Set(['get', 'put', 'delete', 'list', 'count', 'change']);
/** JSON may take twice the bytes of what it says, and a message of the bus has to hold it. */
const PAGE_BYTES = LIMITS.messageBytes - 64 * 1024;

/** Does what is asked, and says what came of it. Throws a `Refusal`. */
export async function askBySubject(desk: AppDesk, asked: AskedBySubject): Promise<object> {
  const { caller, name, verb, body } = asked;
  if (DATASET_VERBS.has(verb)) return await askDataset(desk.datasets, caller, { ...body, name, verb });
  switch (verb) {
    case 'changes':
      return await changesOf(desk, asked);
    case 'home':
      return await askHome(desk.datasets, caller, name);
    case 'state':
      return await stateOf(desk, asked);
    case 'append': {
      const operation = () => ({ ...body, verb });
      return await askLog(desk.logs, caller, { name, what: 'write', operation });
    }
    case 'read':
      return await readLog(desk, asked);
    default:
      throw new Refusal('not-found', `${verb} is not answered here`, {
        hint: `of a dataset of keys: get, put, delete, list, count, change, changes, watch, home, state; of a log: append, read, follow, state`,
      });
  }
}

/** Keys that changed; more than one message holds is told as lost: read all again. */
async function changesOf(desk: AppDesk, { caller, name, body }: AskedBySubject): Promise<object> {
  const answer = await askDataset(desk.datasets, caller, { ...body, name, verb: 'watch' });
  if (!('changes' in answer) || bytesOf(answer) <= PAGE_BYTES) return answer;
  return { changes: [], since: answer.since, lost: true };
}

async function stateOf(desk: AppDesk, { caller, name, body }: AskedBySubject): Promise<object> {
  const verb = 'state';
  if (desk.logs.logs.get(workloadKey(caller.project, name)) === undefined)
    return await askDataset(desk.datasets, caller, { ...body, name, verb });
  return await askLog(desk.logs, caller, { name, what: 'read', operation: () => ({ ...body, verb }) });
}

/** A page of a log that one message holds. */
export async function readLog(desk: AppDesk, { caller, name, body }: AskedBySubject): Promise<Tailed> {
  const read = async (more: object): Promise<LogAnswer> =>
    await askLog(desk.logs, caller, {
      name,
      what: 'read',
      operation: () => ({ ...body, ...more, verb: 'tail' }),
    });
  for (let limit: number | undefined; ;) {
    const page = await read(limit === undefined ? {} : { limit });
    if (!('items' in page)) throw new Error(`a tail of ${name} has no items`);
    if (page.items.length < 2 || bytesOf(page) <= PAGE_BYTES) return page;
    limit = Math.ceil(page.items.length / 2);
  }
}

export function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}
