import type { ConflictRule } from '@skerry/contracts';
import type { Rule } from '../rule.js';
import { counter } from './counter.js';
import { keepBoth } from './keep-both.js';
import { newest } from './newest.js';
import { set } from './set.js';
import { singleWriter } from './single-writer.js';

/** Every conflict rule by its name. */
export const RULES: { readonly [R in ConflictRule]: Rule<R> } = {
  newest,
  counter,
  set,
  'keep-both': keepBoth,
  'single-writer': singleWriter,
};
