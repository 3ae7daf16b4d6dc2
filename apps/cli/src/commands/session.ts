import type { SkerryClient } from '@skerry/client';
import type { Context } from '../context-file.js';
import type { Terminal } from '../output/terminal.js';
import type { RootSpan } from '../root-span.js';

/** What every command works with. */
export interface Session {
  client: SkerryClient;
  context: Context;
  terminal: Terminal;
  /** Only workloads of this project. */
  project: string | undefined;
  trace: RootSpan;
  stdin: NodeJS.ReadStream;
  /** Aborted by Ctrl-C: streams end quietly. */
  signal: AbortSignal;
}
