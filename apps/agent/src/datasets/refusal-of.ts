import { ERROR_STATUS, Refusal, type Problem, type SiteDatasetAnswer } from '@skerry/contracts';
import { reason } from '../log.js';

/** What went wrong, as who asked is told. */
export function refusalOf(error: unknown): Extract<SiteDatasetAnswer, { ok: false }> {
  const refusal = error instanceof Refusal ? error : new Refusal('internal', reason(error));
  const { code, title, issues, hint } = refusal.problem();
  return { ok: false, code, title, issues, ...(hint === undefined ? {} : { hint }) };
}

/** The same as problem details. */
export function problemOf(error: unknown): Problem {
  const { ok: _ok, ...refusal } = refusalOf(error);
  return { ...refusal, status: ERROR_STATUS[refusal.code] };
}
