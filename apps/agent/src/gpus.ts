import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gpuModelSchema, LIMITS } from '@skerry/contracts';
import type { SiteFile } from './site-file.js';

const NVIDIA = '/proc/driver/nvidia/gpus';

/** GPUs that replicas may use, all of one model. */
export interface Gpus {
  readonly model: string | undefined;
  /** Of each its number among all of the machine, counted in the order of their bus addresses. */
  readonly devices: readonly number[];
}

/**
 * The GPUs of this machine: as `site.json` says, else as SKERRY_AGENT_GPUS says (`MODEL=COUNT` or `COUNT`; 0 for none), else
 * as the NVIDIA driver shows. Of GPUs of several models those of the most frequent one are used, the rest left alone.
 * Throws when SKERRY_AGENT_GPUS cannot be read.
 */
export function gpusOf(
  { allocatable: { gpus, gpuModel } }: Pick<SiteFile, 'allocatable'>,
  said: string | undefined = process.env['SKERRY_AGENT_GPUS'],
  folder = NVIDIA,
): Gpus {
  if (gpus !== undefined) return firstOf(gpus, gpuModel);
  if (said !== undefined && said !== '') return readSaid(said);
  return detected(folder);
}

function firstOf(count: number, model: string | undefined): Gpus {
  return { model: count > 0 ? model : undefined, devices: Array.from({ length: count }, (_, i) => i) };
}

function readSaid(said: string): Gpus {
  const [, model, digits] = /^(?:([^=]+)=)?(\d{1,3})$/.exec(said) ?? [];
  const count = Number(digits);
  const named = model === undefined || gpuModelSchema.safeParse(model).success;
  if (digits !== undefined && count <= LIMITS.gpusPerNode && named) return firstOf(count, model);
  throw new Error(
    `SKERRY_AGENT_GPUS is "${said}": it has to be MODEL=COUNT or COUNT, such as NVIDIA-A100=4, at most ${LIMITS.gpusPerNode}`,
  );
}

function detected(folder: string): Gpus {
  const addresses = existsSync(folder) ? readdirSync(folder).toSorted() : [];
  const models = new Map<string | undefined, number[]>();
  for (const [device, address] of addresses.entries()) {
    const model = modelIn(join(folder, address, 'information'));
    models.set(model, [...(models.get(model) ?? []), device]);
  }
  const [most] = [...models].toSorted(([, a], [, b]) => b.length - a.length);
  return { model: most?.[0], devices: (most?.[1] ?? []).slice(0, LIMITS.gpusPerNode) };
}

/** "NVIDIA A100-SXM4-40GB" becomes NVIDIA-A100-SXM4-40GB. */
function modelIn(file: string): string | undefined {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const name = /^Model:\s*(.+?)\s*$/m
    .exec(text)?.[1]
    ?.replaceAll(/[^-._A-Za-z0-9]+/g, '-')
    .slice(0, 63);
  return name !== undefined && gpuModelSchema.safeParse(name).success ? name : undefined;
}
