import { ProblemError } from '@skerry/client';
import { planIdSchema, type PlanApplied, type Problem } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { keyOf } from '../names.js';
import { showPlan } from '../output/plan-lines.js';
import { plain, type Terminal } from '../output/terminal.js';
import { awaitChanges } from './apply.js';
import type { Session } from './session.js';

/**
 * `skerry apply --plan ID`: decides again and applies what was planned. When it would be another decision now, shows the
 * differences and changes nothing.
 */
export async function applyPlan(
  session: Session,
  id: string,
  wait: number | undefined,
): Promise<number | void> {
  const { client, terminal } = session;
  if (!planIdSchema.safeParse(id).success) {
    const hint = '`skerry plan` prints the id of what it planned: plan-0123456789abcdef';
    throw new CommandFailed(EXIT.usage, `${id} is no id of a plan`, hint);
  }
  let applied: PlanApplied;
  try {
    applied = await terminal.during('deciding again', client.applyPlan(id));
  } catch (error) {
    if (terminal.json || !(error instanceof ProblemError) || error.problem.code !== 'conflict') throw error;
    showDifferences(error.problem, terminal);
    return EXIT.failed;
  }
  const show = () => {
    showPlan(applied.plan, terminal);
    terminal.say(`plan ${id} is applied`);
  };
  const { outcome } = applied;
  if (outcome?.ok === false) throw new CommandFailed(EXIT.failed, outcome.title);
  const changes = (outcome?.changes ?? []).filter(({ noun }) => noun === 'workload');
  if (wait === undefined || changes.length === 0) {
    terminal.result(applied, show);
    const { items, datasets = [] } = applied.plan;
    terminal.next(
      ...datasets.slice(0, 1).map((dataset) => `skerry data where ${keyOf(dataset)}`),
      ...items.slice(0, 1).map((item) => `skerry why ${keyOf(item)}`),
      'skerry status --watch',
    );
    return;
  }
  if (!terminal.json) show();
  await awaitChanges(session, { answer: applied, changes, seconds: wait });
}

/** What was planned and what would be now, beneath each other. */
function showDifferences({ title, issues, hint }: Problem, terminal: Terminal): void {
  const { red, green } = terminal.colours;
  terminal.error(`${red('error:')} ${plain(title)} (conflict)`);
  for (const { path, problem, value, allowed } of issues) {
    terminal.error(`  ${plain(path === '' ? problem : `${path}: ${problem}`)}`);
    if (allowed !== undefined) terminal.error(red(`    - planned  ${plain(allowed)}`));
    if (value !== undefined) terminal.error(green(`    + now      ${plain(value)}`));
  }
  if (hint) terminal.error(`hint: ${plain(hint)}`);
}
