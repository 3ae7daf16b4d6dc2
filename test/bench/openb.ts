import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Resources } from '@skerry/contracts';
import type { PackingNode } from '@skerry/domain';

/** A trace of machines and tasks in the format of the Alibaba open GPU trace 2023 ("openb"). */
export interface Trace {
  readonly nodes: readonly PackingNode[];
  readonly tasks: readonly Resources[];
}

/** Where the trace lies unless said otherwise: beside the repository, never in it. */
export const DEFAULT_NODES = resolve('..', 'shared', 'data', 'openb-nodes.csv');
export const DEFAULT_PODS = resolve('..', 'shared', 'data', 'openb-pods.csv');

/** Reads a trace: columns `sn,cpu_milli,memory_mib,gpu,model` and `cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec` by name. */
export async function readTrace(nodesFile: string, podsFile: string): Promise<Trace | undefined> {
  if (!existsSync(nodesFile) || !existsSync(podsFile)) return undefined;
  const nodes = (await readRows(nodesFile)).map((row): PackingNode => {
    const gpus = row.number('gpu');
    return {
      name: row.text('sn'),
      cpuMillicores: row.number('cpu_milli'),
      memoryMiB: row.number('memory_mib'),
      diskMiB: 0,
      ...(gpus > 0 ? { gpus, gpuModel: row.text('model') || undefined } : {}),
    };
  });
  return { nodes, tasks: (await readRows(podsFile)).map(taskOf) };
}

interface Row {
  text(column: string): string;
  number(column: string): number;
}

function taskOf(row: Row): Resources {
  const count = row.number('num_gpu');
  const milli = row.number('gpu_milli');
  const models = row.text('gpu_spec').split('|').filter(Boolean);
  return {
    cpuMillicores: row.number('cpu_milli'),
    memoryMiB: row.number('memory_mib'),
    diskMiB: 0,
    ...(count === 0
      ? {}
      : {
          gpu: {
            count,
            ...(count === 1 && milli < 1_000 ? { shareMilli: milli } : {}),
            ...(models.length > 0 ? { models } : {}),
          },
        }),
  };
}

async function readRows(file: string): Promise<Row[]> {
  const [header = '', ...lines] = (await readFile(file, 'utf8')).trim().split(/\r?\n/);
  const columns = header.split(',');
  return lines.map((line, i) => {
    const cells = line.split(',');
    const text = (column: string) => {
      const at = columns.indexOf(column);
      if (at < 0) throw new Error(`${file} has no column ${column}`);
      return cells[at] ?? '';
    };
    const number = (column: string) => {
      const value = Number(text(column));
      if (Number.isSafeInteger(value) && value >= 0) return value;
      throw new Error(`${file}, line ${i + 2}: ${column} is not a count: ${text(column)}`);
    };
    return { text, number };
  });
}
