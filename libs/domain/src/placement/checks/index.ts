import type { CheckResult } from '@skerry/contracts';
import type { Check, CheckContext, Limit, PlaceRequest, Snapshot } from '../types.js';
import { bandwidth } from './bandwidth.js';
import { budget } from './budget.js';
import { capacity } from './capacity.js';
import { copies } from './copies.js';
import { cordon } from './cordon.js';
import { datasets } from './datasets.js';
import { distinct } from './distinct.js';
import { drain } from './drain.js';
import { driver } from './driver.js';
import { labels } from './labels.js';
import { latency } from './latency.js';
import { kind, provider } from './listed.js';
import { membership } from './membership.js';
import { affinity, antiAffinity } from './pairs.js';
import { projectBudget } from './project-budget.js';
import { readiness } from './readiness.js';
import { refused } from './refused.js';
import { residency } from './residency.js';
import { spreadLabel } from './spread-label.js';
import { taints } from './taints.js';

/** Every hard rule, in the order in which a site fails them: what no one can mend soon before what an operator can. */
export const CHECKS: readonly Check[] = [
  membership,
  readiness,
  residency,
  kind,
  provider,
  labels,
  datasets,
  copies,
  latency,
  bandwidth,
  driver,
  spreadLabel,
  distinct,
  drain,
  cordon,
  taints,
  affinity,
  antiAffinity,
  refused,
  capacity,
  projectBudget,
  budget,
];

/** Characters of one text of a result. */
const TEXT_MAX = 300;

/** A check of one decision; without `limit` it limits no site. */
export interface PreparedCheck {
  readonly check: Check;
  readonly limit: Limit | undefined;
}

/** Every check, prepared for a decision, in the order of the registry. */
export function preparedChecks(request: PlaceRequest, snapshot: Snapshot): readonly PreparedCheck[] {
  return CHECKS.map((check) => ({ check, limit: check.prepare(request, snapshot) }));
}

/** The result of one check as it is shown and stored. `ok`: whether the site passes, when that is known. */
export function resultOf(
  { check, limit }: PreparedCheck,
  context: CheckContext,
  ok = limit === undefined || limit(context.facts, context.present) > 0,
): CheckResult {
  const { has, needs, remedy } = check.explain(context);
  const name = check.name;
  return remedy === undefined
    ? { check: name, ok, has: short(has), needs: short(needs) }
    : { check: name, ok, has: short(has), needs: short(needs), remedy: short(remedy) };
}

function short(text: string): string {
  return text.length > TEXT_MAX ? text.slice(0, TEXT_MAX) : text;
}
