// Writes the example configurations of deploy/hub and deploy/site anew: `node deploy/hub/examples.mjs` after a build.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { exampleConfigs } from '@skerry/identity';

const root = resolve(import.meta.dirname, '../..');
for (const [path, text] of exampleConfigs()) await writeFile(resolve(root, path), text);
