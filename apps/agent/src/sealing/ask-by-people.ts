import { Refusal, workloadKey, type DatasetAnswer, type DatasetOperation } from '@skerry/contracts';
import type { Copies } from '../datasets/copies.js';
import { operate } from '../datasets/operate.js';
import type { Sealing } from './sealing.js';

/**
 * Does what people ask through the hub. Of an encrypted dataset they are told how its copy stands, and nothing else: question and
 * answer pass the hub in clear. Throws a `Refusal`.
 */
export async function operateForPeople(
  copies: Copies,
  operation: DatasetOperation,
  sealing: Sealing,
): Promise<DatasetAnswer> {
  const { project, name, verb } = operation;
  const key = workloadKey(project, name);
  if (copies.get(key)?.copy.rule.encryption === undefined) return await operate(copies, operation);
  if (verb !== 'state')
    throw new Refusal(
      'residency',
      `${project}/${name} is encrypted: what it holds does not pass the hub in clear`,
      {
        hint: `workloads with "data: [{dataset: ${name}}]" read and write it at their site; "skerry data where ${project}/${name}" says how its copies stand`,
      },
    );
  const answer = await operate(copies, { verb, project, name });
  if (!('state' in answer)) return answer;
  return { state: { ...answer.state, digest: sealing.get(key)?.digest(answer.state.digest) ?? '' } };
}
