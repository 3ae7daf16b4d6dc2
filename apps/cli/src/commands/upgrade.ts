import { EXIT, type ExitCode } from '../exit-codes.js';
import { plain } from '../output/terminal.js';
import { VERSION } from '../version.js';
import type { Session } from './session.js';

/** `skerry upgrade`: what is at which version, and what to exchange next; exit 1 when a part is too far from the centre. */
export async function upgrade({ client, terminal }: Session): Promise<ExitCode> {
  const { version, steps } = await terminal.during('asking for versions', client.upgrade());
  const tooFar = steps.filter(({ state }) => state === 'too-far');
  const next = steps.find(({ state }) => state === 'behind' || state === 'too-far' || state === 'ahead');
  terminal.result({ version, cli: VERSION, steps }, () => {
    terminal.table(
      ['', 'WHAT', 'VERSION', 'STATE', 'HOW'],
      steps.map(({ what, versions, state, how }, i) => [
        String(i + 1),
        plain(what),
        plain(versions.join(', ') || '-'),
        state,
        plain(how),
      ]),
    );
    terminal.say();
    if (VERSION !== version) terminal.say(plain(`this CLI is ${VERSION}, the centre is ${version}`));
    terminal.say(
      next === undefined
        ? 'everything is at the version of the centre'
        : plain(`next: ${next.what}: ${next.how}`),
    );
  });
  terminal.next('skerry doctor');
  return tooFar.length === 0 ? EXIT.ok : EXIT.failed;
}
