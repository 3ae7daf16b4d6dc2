import { describe, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { asyncApiDocument } from './asyncapi.js';
import { commandBodySchema } from './command.js';
import { eventTypeSchema } from './event.js';
import { generatedFiles } from './generated-files.js';
import { BUCKETS, bucketSubject } from './streams.js';
import { RPC } from './subjects.js';

const FOLDER = resolve(import.meta.dirname, '../generated');

describe('the generated documents', () => {
  it('are what the schemas say: "npm run generate" was run after the last change', async () => {
    const there = new Map<string, string>();
    for (const entry of await readdir(FOLDER, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      there.set(path.slice(FOLDER.length + 1), await readFile(path, 'utf8'));
    }
    const files = generatedFiles();
    expect([...there.keys()].toSorted()).toEqual([...files.keys()].toSorted());
    expect([...there].filter(([path, text]) => files.get(path) !== text).map(([path]) => path)).toEqual([]);
  });

  it('name every command, event, request and bucket', () => {
    const { channels } = z
      .object({ channels: z.record(z.string(), z.object({ address: z.string() })) })
      .parse(asyncApiDocument());
    const names = Object.keys(channels);
    for (const option of commandBodySchema.options)
      expect(names).toContain(`command ${option.shape.verb.value}`);
    for (const type of eventTypeSchema.options) expect(names).toContain(`event ${type}`);
    const addresses = Object.values(channels).map((c) => c.address);
    for (const subject of Object.values(RPC)) {
      expect(addresses).toContain(typeof subject === 'string' ? subject : subject('{app}'));
    }
    // Leases and identities are policy's own and hold secrets' hashes: nobody else reads them.
    const open = Object.values(BUCKETS).filter((b) => b.name !== 'leases' && b.name !== 'identities');
    for (const { name } of open) expect(addresses).toContain(bucketSubject(name, '{key}'));
  });

  it('hold together: every reference leads to a message, a channel or a schema file', () => {
    const files = generatedFiles();
    const text = files.get('asyncapi.json') ?? '';
    const document: unknown = JSON.parse(text);
    const references = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, to = '']) => to);
    expect(references.length).toBeGreaterThan(50);
    const lost = references.filter((to) =>
      to.startsWith('./') ? !files.has(to.slice(2)) : at(document, to.slice(2)) === undefined,
    );
    expect(lost).toEqual([]);
  });
});

function at(document: unknown, path: string): unknown {
  return path
    .split('/')
    .map((key) => decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (v, key) => (typeof v === 'object' && v !== null ? Reflect.get(v, key) : undefined),
      document,
    );
}
