import { describe, expect, it } from '@jest/globals';
import { nodeSchema, siteSchema, type NodeRule } from '@skerry/contracts';
import { knownNode, removableNode } from './find-node.js';

const NOW = '2026-01-01T00:00:00.000Z';

/** A site `s` with these nodes, each with what is wanted of it. */
function fleet(nodes: Record<string, NodeRule | undefined>) {
  const rules = Object.fromEntries(Object.entries(nodes).flatMap(([n, rule]) => (rule ? [[n, rule]] : [])));
  const site = siteSchema.parse({
    name: 's',
    location: { lat: 0, lon: 0 },
    generation: 1,
    account: `A${'B'.repeat(55)}`,
    membership: 'joined',
    cordoned: false,
    nodes: rules,
    createdAt: NOW,
    updatedAt: NOW,
    commandSequence: 1,
  });
  const all = Object.keys(nodes).map((node) =>
    nodeSchema.parse({
      kind: 'Node',
      site: 's',
      node,
      agentVersion: '0',
      os: 'x',
      arch: 'x',
      allocatable: { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 },
      drivers: [],
      cgroup: 'none',
      address: 'x',
      bootId: 'x',
      startedAt: NOW,
      reportedAt: NOW,
      report: 1,
    }),
  );
  return { site: (name: string) => (name === 's' ? site : undefined), nodes: () => all };
}

describe('a node that is named', () => {
  it('is one that the cloud knows', () => {
    expect(knownNode(fleet({ a: undefined }), { site: 's', node: 'a' }).node).toBe('a');
    expect(() => knownNode(fleet({ a: undefined }), { site: 's', node: 'b' })).toThrow('no node b');
  });

  it('is not removed while it is the only one of its site: that is removed instead', () => {
    const remove = (nodes: Record<string, NodeRule | undefined>) =>
      removableNode(fleet(nodes), { site: 's', node: 'a' }).node;
    expect(() => remove({ a: undefined })).toThrow('a is the only node of the site s');
    expect(() => remove({ a: 'draining', b: 'removed' })).toThrow('a is the only node of the site s');
    expect(remove({ a: undefined, b: 'cordoned' })).toBe('a');
    // Asked again.
    expect(remove({ a: 'removed', b: 'removed' })).toBe('a');
  });
});
