import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { play, scenarioSchema } from './scenario.suite.js';

const FOLDER = import.meta.dirname;
/** With UPDATE_SCENARIOS=1 the transcripts are written anew: read the difference before it is committed. */
const UPDATE = process.env['UPDATE_SCENARIOS'] === '1';

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

it.each(names)('%s goes as written', (name) => {
  const transcript = play(scenarioSchema.parse(parse(readFileSync(join(FOLDER, `${name}.yaml`), 'utf8'))));
  const path = join(FOLDER, `${name}.txt`);
  if (UPDATE) writeFileSync(path, transcript);
  expect(existsSync(path) ? readFileSync(path, 'utf8') : '').toBe(transcript);
});
