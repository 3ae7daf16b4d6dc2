import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { SINGLETON_LEASE } from '@skerry/domain';
import { identify, type ProcessIdentity } from './process-identity.js';

/** Shell that says whether the time in a file, in ms of the machine's uptime, has not passed. Without the file it has. */
const inTime = (file: string) =>
  [
    `deadline=0; read -r deadline 2>/dev/null <"${file}"; read -r up _ </proc/uptime`,
    '[ "${up%.*}${up#*.}0" -lt "${deadline:-0}" ]',
  ].join('\n');

/**
 * A replica is two processes: the command, and its parent, a few hundred KiB of /bin/sh that outlives the agent and
 * writes the command's exit code to a file. So an agent that was away still learns how a job ended. The script is
 * constant and the command comes as arguments, never as text of a script. The inner shell says its process id,
 * waits, and then becomes the command: until the agent has it on the disk and in its cgroup, nothing of it runs,
 * and if the agent dies before that it never does.
 */
const COMMAND = [
  'echo $$ >&3; exec 3>&-; read -r go || exit 97',
  // The agent may have stood still between its last look at the lease and its word. In a shell of its own: no variable is left.
  'if [ -n "$1" ]; then (',
  inTime('$1'),
  ') || exit 97; fi',
  'shift; exec "$@" </dev/null',
].join('\n');

/**
 * Beside a singleton's command: ends all of it when its deadline has passed and nobody renewed it, since its agent is
 * dead or stands still. No signal to the group ends the watch before, but KILL; nor does a wait that fails keep it from
 * ending what runs. What has left the group for a session of its own is found by the cgroup, and where there is none by the
 * mark in its environment, where this machine's grep reads that.
 */
const WATCH = [
  '(',
  `  in_time() { ${inTime('$deadline_file')}; }`,
  `  while command -p sleep ${SINGLETON_LEASE.keeperLooksMs / 1_000} && in_time; do :; done`,
  '  [ ! -e "$cgroup/cgroup.kill" ] || echo 1 >"$cgroup/cgroup.kill"',
  // What starts others meanwhile is met in one of the next rounds.
  '  for round in 1 2 3 4 5 6 7 8 9 10; do',
  '    while read -r pid; do kill -KILL "$pid"; done <"$cgroup/cgroup.procs"',
  '  done',
  // The keeper and this watch have the mark too; they go with the group.
  '  read -r watch _ </proc/self/stat',
  '  for found in $(command -p grep -lF "$mark" /proc/[0-9]*/environ 2>/dev/null); do',
  '    pid=${found#/proc/}; pid=${pid%/environ}',
  '    [ "$pid" = "$$" ] || [ "$pid" = "$watch" ] || kill -KILL "$pid"',
  '  done',
  '  kill -KILL 0',
  ') </dev/null >/dev/null 2>&1 3>&- &',
].join('\n');

const KEEPER = [
  'exit_file=$1; deadline_file=$2; cgroup=$3; mark=$4; command=$5; shift 5',
  // The watch is born deaf to these: the command may signal the whole group before the watch has run a line of its own.
  "trap '' TERM INT QUIT HUP USR1 USR2",
  'if [ -n "$deadline_file" ]; then',
  WATCH,
  'watch=$!; fi',
  // Caught, not ignored: the command starts with the default for each, and the keeper goes on to note its exit code.
  'trap : TERM INT QUIT HUP USR1 USR2',
  '/bin/sh -c "$command" skerry-replica "$deadline_file" "$@"',
  'code=$?',
  // Some shells say that they killed something, in what would be the log of the replica.
  'exec 2>/dev/null',
  '[ -z "$deadline_file" ] || kill -KILL "$watch"',
  // What ran may have made its folder unwritable; then the code stays unknown.
  'printf "%s\\n" "$code" >"$exit_file"',
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
  /** What is in the environment of all that it starts, and nowhere else. */
  mark: string;
  /** A folder of its cgroup, where it has one. */
  cgroup?: string | undefined;
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
      options.cgroup ?? '',
      options.mark,
      COMMAND,
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
