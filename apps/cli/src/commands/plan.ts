import type { Plan, Scenario } from '@skerry/contracts';
import { ProblemError } from '@skerry/client';
import { CommandFailed, EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { findSite } from '../names.js';
import { showPlan, verdictOf } from '../output/plan-lines.js';
import { showError } from '../output/show-error.js';
import { readSources } from '../sources.js';
import type { Session } from './session.js';

/** Exit codes of `plan` alone. */
const NOTHING = 0;
const CHANGES = 1;
const CANNOT = 2;

export interface PlanOptions {
  file?: string[];
  withoutSite?: string;
  drain?: string;
}

/**
 * `skerry plan`: what would be placed where and why, for documents or without a site. Answers 0 for nothing to do, 1 for
 * changes, 2 for cannot.
 */
export function plan(session: Session, options: PlanOptions): Promise<number> {
  return preview(session, () => asked(session, options));
}

/** `skerry rebalance --plan`: moves that gain more than they cost, within a budget. */
export function planRebalance(session: Session, maxMovesPercent: number): Promise<number> {
  return preview(session, () => session.client.whatIf({ kind: 'rebalance', maxMovesPercent }));
}

async function preview(session: Session, ask: () => Promise<Plan>): Promise<number> {
  const { terminal } = session;
  let answer: Plan;
  try {
    answer = await terminal.during('planning', ask());
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    showError(error, terminal);
    const code: ExitCode = exitCodeOf(error.problem.code);
    return code === EXIT.failed ? CANNOT : code;
  }
  terminal.result(answer, () => {
    terminal.say(titleOf(answer.scenario));
    terminal.say();
    showPlan(answer, terminal);
    terminal.say();
    terminal.say(`plan ${answer.id}: nothing was committed`);
  });
  const { changes, cannot } = verdictOf(answer);
  terminal.next(...nextOf(answer, changes && !cannot));
  if (cannot) return CANNOT;
  return changes ? CHANGES : NOTHING;
}

async function asked({ client, stdin }: Session, options: PlanOptions): Promise<Plan> {
  const { file, withoutSite, drain } = options;
  if ([file, withoutSite, drain].filter((given) => given !== undefined).length !== 1) {
    const hint = 'skerry plan -f web.yaml, or skerry plan --without-site SITE';
    throw new CommandFailed(EXIT.usage, 'one of -f, --without-site and --drain is wanted', hint);
  }
  if (file !== undefined) return client.plan(await readSources(file, stdin));
  const { site } = await findSite(client, withoutSite ?? drain ?? '');
  return client.whatIf({ kind: drain === undefined ? 'without-site' : 'drain', site: site.name });
}

function titleOf(scenario: Scenario): string {
  switch (scenario.kind) {
    case 'apply':
      return 'if these documents were applied now:';
    case 'without-site':
      return `if there were no site ${scenario.site}:`;
    case 'drain':
      return `if ${scenario.site} were drained:`;
    case 'rebalance':
      return `moves that gain more than they cost, at most ${scenario.maxMoves} ${scenario.maxMoves === 1 ? 'replica' : 'replicas'}:`;
    default:
      return scenario satisfies never;
  }
}

function nextOf({ id, scenario }: Plan, worthApplying: boolean): string[] {
  switch (scenario.kind) {
    case 'apply':
    case 'rebalance':
      return [worthApplying ? `skerry apply --plan ${id}` : 'skerry status'];
    case 'without-site':
      return [`skerry site show ${scenario.site}`, `skerry site rm ${scenario.site}`];
    case 'drain':
      return [`skerry site show ${scenario.site}`, `skerry site drain ${scenario.site} --wait`];
    default:
      return scenario satisfies never;
  }
}
