import type { LogLine } from '@skerry/contracts';
import { findSite, findWorkload } from '../names.js';
import { plain } from '../output/terminal.js';
import type { Session } from './session.js';

export interface LogsOptions {
  follow: boolean;
  site?: string;
  tail: number;
}

/** `skerry logs APP`: lines of all replicas, merged over sites by time; gaps are told on standard error. */
export async function logs(session: Session, app: string, options: LogsOptions): Promise<void> {
  const { client, terminal, project, signal } = session;
  const ref = await findWorkload(client, app, project);
  const site = options.site === undefined ? {} : { site: (await findSite(client, options.site)).site.name };
  const onBreak = (reason: string) => terminal.note(`the stream broke (${reason}); going on`);
  const wanted = { follow: options.follow, tail: options.tail, signal, onBreak, ...site };
  let shown = 0;
  for await (const item of client.logs(ref.project, ref.name, wanted)) {
    if (item.kind === 'gap') {
      terminal.note(`${item.gap.site}: ${plain(item.gap.reason)}`);
      continue;
    }
    shown += 1;
    terminal.result(item.line, () => terminal.say(lineText(item.line, session)));
  }
  if (shown === 0 && !options.follow) terminal.note('no lines yet');
  if (!options.follow) terminal.next(`skerry logs ${ref.project}/${ref.name} -f`);
}

function lineText({ site, replica, stream, line }: LogLine, { terminal }: Session): string {
  const slot = replica.split('.').at(-1) ?? '';
  const from = terminal.colours.dim(`${site}/${slot}`);
  const text = plain(line);
  return `${from} ${stream === 'stderr' ? terminal.colours.yellow(text) : text}`;
}
