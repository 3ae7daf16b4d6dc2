import type { Plan } from '@skerry/contracts';
import { ProblemError } from '@skerry/client';
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js';
import { showError } from '../output/show-error.js';
import { placementText, rejectedLines } from '../output/workload-lines.js';
import { readSources } from '../sources.js';
import type { Session } from './session.js';

/** Exit codes of `plan` alone. */
const NOTHING = 0;
const CHANGES = 1;
const CANNOT = 2;

/** `skerry plan -f`: what would be placed where and why. Answers 0 for nothing to do, 1 for changes, 2 for cannot. */
export async function plan(session: Session, files: string[]): Promise<number> {
  const { client, terminal } = session;
  const body = await readSources(files, session.stdin);
  let answer: Plan;
  try {
    answer = await terminal.during('planning', client.plan(body));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    showError(error, terminal);
    const code: ExitCode = exitCodeOf(error.problem.code);
    return code === EXIT.failed ? CANNOT : code;
  }
  terminal.result(answer, () => show(answer, session));
  const cannot = answer.items.some(
    ({ placement }) => placement.state === 'unplaceable' || placement.state === 'partial',
  );
  const changes = answer.items.some(({ change, moves }) => change !== 'none' || moves.length > 0);
  terminal.next(changes && !cannot ? `skerry apply -f ${files.join(' -f ')}` : 'skerry status');
  if (cannot) return CANNOT;
  return changes ? CHANGES : NOTHING;
}

function show({ items }: Plan, { terminal }: Session): void {
  const sign = { create: '+', update: '~', none: '=' } as const;
  for (const item of items) {
    const { placement } = item;
    terminal.say(
      `${sign[item.change]} ${terminal.colours.bold(`${item.project}/${item.name}`)}: ${placementText(placement)}`,
    );
    const before = new Map(item.moves.map((move) => [move.site, move.before]));
    terminal.table(
      ['  SITE', 'REPLICAS', 'BEFORE', 'WHY', 'LATENCY', 'A MONTH'],
      placement.shares.map((share) => [
        `  ${share.site}`,
        String(share.replicas),
        String(before.get(share.site) ?? share.replicas),
        share.why,
        `${share.latencyMs.toFixed(0)} ms${share.measured ? '' : ' est.'}`,
        share.costPerMonth.toFixed(2),
      ]),
    );
    for (const move of item.moves.filter(({ after }) => after === 0)) {
      terminal.say(`  leaves ${move.site}: ${move.before} replicas`);
    }
    if (placement.state === 'partial' || placement.state === 'unplaceable') {
      for (const line of rejectedLines(placement)) terminal.say(`  ${line}`);
    }
    terminal.say();
  }
  terminal.say('nothing was committed');
}
