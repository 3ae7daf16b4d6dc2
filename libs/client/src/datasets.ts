import {
  datasetLagSchema,
  datasetListSchema,
  datasetProofSchema,
  datasetWhereSchema,
  objectWhereSchema,
  type DatasetLag,
  type DatasetList,
  type DatasetProof,
  type DatasetWhere,
  type ObjectWhere,
} from '@skerry/contracts';
import type { Transport } from './transport.js';

/** Every dataset, by project and name. */
export async function datasets(transport: Transport): Promise<DatasetList> {
  return (await transport.call({ method: 'GET', path: 'v1/datasets' }, datasetListSchema)).value;
}

/** Where a dataset's copies are, by which rule, and how each stands. */
export async function datasetWhere(transport: Transport, path: string): Promise<DatasetWhere> {
  return (await transport.call({ method: 'GET', path }, datasetWhereSchema)).value;
}

/** Where its copies are and were, since when, by which rule, and what was refused. */
export async function datasetProof(transport: Transport, path: string): Promise<DatasetProof> {
  return (await transport.call({ method: 'GET', path: `${path}/proof` }, datasetProofSchema)).value;
}

/** How far each of its copies is behind, in records and in time. */
export async function datasetLag(transport: Transport, path: string): Promise<DatasetLag> {
  return (await transport.call({ method: 'GET', path: `${path}/lag` }, datasetLagSchema)).value;
}

/** Where an object is, and by which rule. */
export async function objectWhere(transport: Transport, path: string, key: string): Promise<ObjectWhere> {
  const call = { method: 'GET' as const, path: `${path}/object`, query: { key } };
  return (await transport.call(call, objectWhereSchema)).value;
}
