import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { generatedFiles } from './generated-files.js';

/** Writes `generated/` anew: run by `npm run generate`; a test fails when it was not. */
const folder = resolve(import.meta.dirname, '../generated');
await rm(folder, { recursive: true, force: true });
for (const [path, text] of generatedFiles()) {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
