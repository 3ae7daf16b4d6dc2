import { LIMITS, type DeclaredDataset } from '@skerry/contracts';

/** Characters of what was declared, in one answer: what else is in it is three times that at most. */
const DECLARED_CHARS = LIMITS.messageBytes / 4;

/** What one answer to a site has room for of what was declared. What a site was told once it keeps, so less may be said again. */
export class DeclaredRoom {
  private left = DECLARED_CHARS;

  /** The rule as it is said: without what was declared once there is no more room. */
  leave<Rule extends { declared?: DeclaredDataset | undefined }>(rule: Rule): Rule {
    this.left -= rule.declared?.rest.length ?? 0;
    return this.left >= 0 ? rule : { ...rule, declared: undefined };
  }
}
