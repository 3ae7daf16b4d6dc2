import type { DeclaredDataset } from '@skerry/contracts';

/** A rule that may have with it what was declared of its dataset. */
interface Rule {
  incarnation: number;
  generation: number;
  declared?: DeclaredDataset | undefined;
}

/** A rule that says nothing of what was declared at this generation leaves it as it was said before. */
export function withDeclared<R extends Rule>(rule: R, known: R): R {
  const isSame = rule.incarnation === known.incarnation && rule.generation === known.generation;
  return rule.declared !== undefined || known.declared === undefined || !isSame
    ? rule
    : { ...rule, declared: known.declared };
}
