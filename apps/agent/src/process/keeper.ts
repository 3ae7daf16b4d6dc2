import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { identify, type ProcessIdentity } from './process-identity.js';

/**
 * A replica is two processes: the command, and its parent, a few hundred KiB of /bin/sh that outlives the agent and
 * writes the command's exit code to a file. So an agent that was away still learns how a job ended. The script is
 * constant and the command comes as arguments, never as text of a script. The inner shell says its process id,
 * waits, and then becomes the command: until the agent has it on the disk and in its cgroup, nothing of it runs,
 * and if the agent dies before that it never does.
 */
const COMMAND = 'echo $$ >&3; exec 3>&-; read -r go || exit 97; exec "$@" </dev/null';
const KEEPER = [
  'exit_file=$1; deadline_file=$2; command=$3; shift 3',
  // Of a singleton: ends all of the group when the deadline, in ms of the machine's uptime, has passed and nobody renewed it.
  'if [ -n "$deadline_file" ]; then',
  '  (',
  '    while sleep 1; do',
  '      deadline=0; read -r deadline 2>/dev/null <"$deadline_file"',
  '      read -r up _ </proc/uptime',
  '      [ "${up%.*}${up#*.}0" -lt "${deadline:-0}" ] || kill -KILL 0',
  '    done',
  '  ) </dev/null >/dev/null 2>&1 3>&- &',
  '  watch=$!',
  'fi',
  // Caught, not ignored: the command starts with the default for each, and the keeper goes on to note its exit code.
  'trap : TERM INT QUIT HUP USR1 USR2',
  '/bin/sh -c "$command" "$@"',
  'code=$?',
  '[ -z "$deadline_file" ] || kill "$watch" 2>/dev/null',
  // What ran may have made its folder unwritable; then the code stays unknown.
  'printf "%s\\n" "$code" 2>/dev/null >"$exit_file"',
].join('\n');

/** Exit code of a command that was never let go. */
export const NEVER_STARTED = 97;
const ANNOUNCE_MS = 5_000;
const MAX_PID_CHARS = 20;

export interface KeeperOptions {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
  exitFile: string;
  /** Of a singleton: the file that says until when it may run. */
  deadlineFile?: string | undefined;
  /** Open file descriptors for standard output and error. */
  stdout: number;
  stderr: number;
}

/** A command that stands at the gate. */
export interface Kept {
  keeper: ProcessIdentity;
  main: ProcessIdentity;
  /** Lets the command begin. */
  go(): void;
  /** Gives up: the command never begins. */
  abandon(): void;
  /** Called when the keeper, hence normally the command, has ended. */
  onExit(listener: () => void): void;
}

/** Starts a command up to its gate, in a session of its own. Throws when it cannot be started. */
export async function keep(options: KeeperOptions): Promise<Kept> {
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      KEEPER,
      'skerry-replica',
      options.exitFile,
      options.deadlineFile ?? '',
      COMMAND,
      'skerry-replica',
      ...options.argv,
    ],
    {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['pipe', options.stdout, options.stderr, 'pipe'],
    },
  );
  let ended = false;
  const listeners: (() => void)[] = [];
  child.on('exit', () => {
    ended = true;
    for (const listener of listeners) listener();
  });
  const pid = await announcedPid(child);
  const [keeper, main] = [identify(child.pid ?? 0), identify(pid)];
  if (keeper === undefined || main === undefined) throw new Error('it ended before it began');
  child.unref();
  return {
    keeper,
    main,
    go: () => {
      // The gate's other end may be gone, which is an ending like any other.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end('go\n');
    },
    abandon: () => void child.stdin?.destroy(),
    onExit: (listener) => (ended ? listener() : void listeners.push(listener)),
  };
}

async function announcedPid(child: ChildProcess): Promise<number> {
  const extra = child.stdio[3];
  const pipe = extra instanceof Socket ? extra : undefined;
  try {
    return await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not started within ${ANNOUNCE_MS} ms`)), ANNOUNCE_MS);
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      let text = '';
      child.on('error', fail);
      child.on('exit', () => fail(new Error('it ended before it began')));
      pipe?.on('error', fail);
      pipe?.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1').slice(0, MAX_PID_CHARS);
        if (!text.includes('\n')) return;
        clearTimeout(timer);
        resolve(Number(text.trim()));
      });
    });
  } catch (error) {
    child.stdin?.destroy();
    child.kill('SIGKILL');
    throw error;
  } finally {
    pipe?.destroy();
  }
}
