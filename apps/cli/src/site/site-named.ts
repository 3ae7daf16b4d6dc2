/** Options before a command that have a value. */
const WITH_VALUE: ReadonlySet<string> = new Set(['--context', '--url', '--project']);

/**
 * `--site HERE` before the command, among other options: that site itself is asked, with the rest. Behind a command it is that
 * command's own option, and the result is undefined.
 */
export function siteNamed(args: readonly string[]): { site: string; rest: string[] } | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--site') {
      const site = args[i + 1];
      return site === undefined ? undefined : { site, rest: [...args.slice(0, i), ...args.slice(i + 2)] };
    }
    if (arg.startsWith('--site=')) return { site: arg.slice('--site='.length), rest: args.toSpliced(i, 1) };
    if (!arg.startsWith('-') || arg === '--') return undefined;
    if (WITH_VALUE.has(arg)) i += 1;
  }
  return undefined;
}
