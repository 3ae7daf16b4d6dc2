import { formatVersion, type Assignment } from '@skerry/contracts';

/** GPUs of a replica by their number on the machine; none for one that asked for none. */
export interface GpuGrant {
  devices: readonly number[];
  /** Thousandths of the one GPU, for a share. */
  shareMilli?: number | undefined;
}

/** How a replica reaches its agent. */
export interface Access {
  url: string;
  /** Servers at which it asks by subjects; undefined where it cannot. */
  natsUrl: string | undefined;
  token: string;
}

/** What a replica is told of itself. */
export interface Surroundings {
  id: string;
  site: string;
  node: string;
  slot: number;
  /** Where its users reach it: what it has to listen on. */
  address: string;
  ports: Readonly<Record<string, number>>;
  /** What it gets of the machine's GPUs; undefined on a machine without any. */
  gpus?: GpuGrant | undefined;
  /** Of a singleton: who owns it. */
  ownership?: { epoch: number } | undefined;
  /** Where it asks: for the datasets of its project, and a singleton who owns it. */
  access?: Access | undefined;
  /** Trace of the change that started it, so that its own spans hang below. */
  traceparent?: string | undefined;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The whole environment of a replica: PATH, what the workload gives, then its ports and names. Nothing else of the
 * agent's own environment gets in. A secret as a whole: never logged.
 */
export function environmentOf(assignment: Assignment, around: Surroundings): Record<string, string> {
  const [first] = assignment.run.ports;
  const ports = Object.entries(around.ports).map(([name, port]) => [
    `PORT_${name.toUpperCase().replaceAll('-', '_')}`,
    String(port),
  ]);
  const trace = around.traceparent;
  return {
    PATH: process.env['PATH'] ?? PATH,
    LANG: 'C.UTF-8',
    ...(trace === undefined ? {} : { TRACEPARENT: trace }),
    ...(first === undefined ? {} : { HOST: around.address, PORT: String(around.ports[first.name]) }),
    ...Object.fromEntries(ports),
    ...assignment.run.env,
    ...gpuEnvironment(around.gpus),
    SKERRY_SITE: around.site,
    SKERRY_NODE: around.node,
    SKERRY_PROJECT: assignment.project,
    SKERRY_WORKLOAD: assignment.name,
    SKERRY_REPLICA: around.id,
    SKERRY_SLOT: String(around.slot),
    SKERRY_VERSION: formatVersion(assignment.version),
    ...ownershipEnvironment(around.ownership),
    ...accessEnvironment(around.access),
    ...(trace === undefined ? {} : { SKERRY_TRACEPARENT: trace }),
  };
}

/** Numbers are by bus address, whatever is the fastest; without GPUs of its own a replica shall see none of others. */
function gpuEnvironment(gpus: GpuGrant | undefined): Record<string, string> {
  if (gpus === undefined) return {};
  const list = gpus.devices.join(',');
  return {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: list,
    NVIDIA_VISIBLE_DEVICES: list === '' ? 'void' : list,
    ...(gpus.shareMilli === undefined ? {} : { SKERRY_GPU_SHARE_MILLI: String(gpus.shareMilli) }),
  };
}

function ownershipEnvironment(ownership: Surroundings['ownership']): Record<string, string> {
  if (ownership === undefined) return {};
  return {
    SKERRY_EPOCH: String(ownership.epoch),
  };
}

function accessEnvironment(access: Access | undefined): Record<string, string> {
  if (access === undefined) return {};
  const { url, token, natsUrl } = access;
  return {
    SKERRY_AGENT_URL: url,
    SKERRY_AGENT_TOKEN: token,
    ...(natsUrl === undefined ? {} : { SKERRY_NATS_URL: natsUrl }),
  };
}
