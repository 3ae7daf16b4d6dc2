import {
  objectAnswerSchema,
  objectWhereSchema,
  type ObjectAnswer,
  type ObjectOperation,
  type ObjectWhere,
} from '@skerry/contracts';
import type { Transport } from './transport.js';

/** Reads or writes an object piece by piece at a site with a copy: the named one, or one that will do. */
export async function askObject(
  transport: Transport,
  operation: ObjectOperation,
  { site, requestId, signal }: { site?: string; requestId: string; signal?: AbortSignal },
): Promise<ObjectAnswer> {
  const { value } = await transport.call(
    {
      method: 'POST',
      path: 'v1/datasets/object',
      body: { operation, ...(site === undefined ? {} : { site }) },
      requestId,
      ...(signal === undefined ? {} : { signal }),
    },
    objectAnswerSchema,
  );
  return value;
}

/** Where an object is, and by which rule. */
export async function objectWhere(
  transport: Transport,
  { project, name, key }: { project: string; name: string; key: string },
): Promise<ObjectWhere> {
  const path = `v1/datasets/${encodeURIComponent(project)}/${encodeURIComponent(name)}/object`;
  return (await transport.call({ method: 'GET', path, query: { key } }, objectWhereSchema)).value;
}
