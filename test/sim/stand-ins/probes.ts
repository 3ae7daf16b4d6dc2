import { theTimeline } from '@skerry/sim';
import { host } from '../hosts.js';

/** In place of probes over the network: asks the simulated machine how the replica really is. */
export async function probe(_health: object, target: { env: Readonly<Record<string, string>> }) {
  const { machine } = host();
  const { current } = theTimeline();
  await new Promise<void>((resolve) => void current.after(2, resolve));
  const id = target.env['SKERRY_REPLICA'];
  const healthy = [...machine.replicas.values()].some((r) => r.id === id && r.healthy && r.state === 'up');
  return healthy ? { healthy: true } : { healthy: false, reason: 'simulated' };
}
