import type { Rule } from '../repository.js';
import { declared, used } from './dependencies.js';
import { escapes } from './escapes.js';
import { imports } from './imports.js';
import { layers } from './layers.js';
import { length } from './length.js';
import { manifests } from './manifests.js';
import { names } from './names.js';
import { purity } from './purity.js';
import { readmes } from './readmes.js';
import { subjects } from './subjects.js';
import { machinePaths, openEnds } from './texts.js';

/** The registry: a new wall is a file, a line here, and cases in walls.spec.ts that break it. */
export const rules = {
  layers,
  imports,
  declared,
  used,
  manifests,
  purity,
  names,
  readmes,
  length,
  escapes,
  openEnds,
  machinePaths,
  subjects,
} satisfies Record<string, Rule>;
