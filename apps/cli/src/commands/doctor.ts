import type { Doctor } from '@skerry/contracts';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { plain } from '../output/terminal.js';
import type { Session } from './session.js';

type Check = Doctor['checks'][number];

/** `skerry doctor`: what is well and what is not; exit 1 when something is not. */
export async function doctor({ client, terminal }: Session): Promise<ExitCode> {
  const { checks } = await terminal.during('examining the cloud', client.doctor());
  const bad = checks.filter(({ ok }) => !ok);
  const { green, red } = terminal.colours;
  terminal.result({ checks }, () => {
    terminal.table(
      ['', 'CHECK', 'FOUND'],
      inShort(checks).map(({ check, ok, detail }) => [
        ok ? green('ok') : red('bad'),
        plain(check),
        plain(detail),
      ]),
    );
    if (bad.length > 0) terminal.say();
    for (const { check, detail, hint } of bad)
      terminal.say(plain(`${check}: ${detail}${hint ? `; ${hint}` : ''}`));
    terminal.say();
    terminal.say(
      bad.length === 0 ? 'everything is well' : `${bad.length} of ${checks.length} checks are not well`,
    );
  });
  terminal.next(bad.length === 0 ? 'skerry status' : 'skerry events');
  return bad.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Streams that are well are told in one line: there are many, and they say nothing. */
function inShort(checks: Check[]): Check[] {
  const isQuiet = ({ check, ok }: Check) => ok && check.startsWith('stream ');
  const quiet = checks.filter(isQuiet);
  const rest = checks.filter((check) => !isQuiet(check));
  if (quiet.length === 0) return rest;
  return [...rest, { check: `${quiet.length} streams`, ok: true, detail: 'far from their limits' }];
}
