import { keyOf } from '../names.js';
import { showPlan, verdictOf } from '../output/plan-lines.js';
import type { Session } from './session.js';

/** `skerry rebalance`: finds the moves that gain more than they cost, within a budget, and makes exactly those. */
export async function rebalance(session: Session, maxMovesPercent: number): Promise<void> {
  const { client, terminal } = session;
  const plan = await terminal.during('planning', client.whatIf({ kind: 'rebalance', maxMovesPercent }));
  if (!verdictOf(plan).changes) {
    terminal.result({ plan }, () => terminal.say('no move gains more than it costs'));
    terminal.next('skerry status');
    return;
  }
  const applied = await terminal.during('moving', client.applyPlan(plan.id));
  terminal.result(applied, () => {
    showPlan(applied.plan, terminal);
    terminal.say(`plan ${plan.id} is applied`);
  });
  const [first] = applied.plan.items;
  terminal.next(...(first ? [`skerry why ${keyOf(first)}`] : []), 'skerry status --watch');
}
