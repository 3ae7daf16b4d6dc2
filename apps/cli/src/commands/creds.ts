import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Session } from './session.js';

/** `skerry creds`: a context for the `nats` CLI, with an operator's rights: to look, not to touch. */
export function creds({ context, terminal }: Session): void {
  const { name, natsUrl, natsCa, operatorCreds } = context;
  if (natsUrl === undefined || operatorCreds === undefined) {
    const hint = 'a local cloud writes natsUrl and operatorCreds into its context file';
    throw new CommandFailed(EXIT.failed, 'the context has no credentials for the bus', hint);
  }
  const natsContext = {
    description: `Skerry ${name}: an operator`,
    url: natsUrl,
    creds: operatorCreds,
    ...(natsCa === undefined ? {} : { ca: natsCa }),
  };
  terminal.result(natsContext, () => {
    terminal.say(JSON.stringify(natsContext, null, 2));
    terminal.say();
    const ca = natsCa === undefined ? '' : ` --tlsca ${natsCa}`;
    terminal.say(`As a context: skerry creds --json > ~/.config/nats/context/${name}.json`);
    terminal.say(`Or at once:   nats --server ${natsUrl} --creds ${operatorCreds}${ca} sub 'skerry.evt.>'`);
  });
  terminal.next(`nats --context ${name} sub 'skerry.evt.>'`);
}
