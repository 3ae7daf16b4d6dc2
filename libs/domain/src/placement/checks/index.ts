import type { CheckResult } from '@skerry/contracts';
import type { Check, CheckContext } from '../types.js';
import { budget } from './budget.js';
import { capacity } from './capacity.js';
import { cordon } from './cordon.js';
import { driver } from './driver.js';
import { labels } from './labels.js';
import { membership } from './membership.js';
import { readiness } from './readiness.js';
import { refused } from './refused.js';
import { residency } from './residency.js';
import { spreadLabel } from './spread-label.js';

/** Every hard rule, in the order in which a site fails them: what no one can mend soon before what an operator can. */
export const CHECKS: readonly Check[] = [
  membership,
  readiness,
  cordon,
  residency,
  labels,
  driver,
  spreadLabel,
  refused,
  capacity,
  budget,
];

/** The result of one check as it is shown and stored. */
export function resultOf(check: Check, context: CheckContext): CheckResult {
  const { has, needs, remedy } = check.explain(context);
  return {
    check: check.name,
    ok: check.ceiling(context) > 0,
    has: has.slice(0, 300),
    needs: needs.slice(0, 300),
    ...(remedy === undefined ? {} : { remedy: remedy.slice(0, 300) }),
  };
}
