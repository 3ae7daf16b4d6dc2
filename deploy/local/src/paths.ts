import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where a local cloud keeps everything it has: `SKERRY_HOME`, else `.skerry` in `root`. */
export function cloudHome(root: string, env: NodeJS.ProcessEnv): string {
  const given = env['SKERRY_HOME'];
  return given === undefined || given === ''
    ? join(root, '.skerry')
    : resolve(given.replace(/^~(?=\/|$)/, homedir()));
}

/** The folders and files of one local cloud. Everything below `home` has mode 0700 or 0600. */
export function cloudPaths(home: string) {
  return {
    home,
    /** Ports and sites, so that a start resumes the same cloud. */
    cloudFile: join(home, 'cloud.json'),
    /** What the CLI reads: address and token of the api. */
    context: join(home, 'context.json'),
    /** Names the process that runs the cloud, while it lives. */
    runLock: join(home, 'run.lock'),
    /** The processes of the cloud: what a killed run left is ended by the next one. */
    pids: join(home, 'pids.json'),
    logs: join(home, 'logs'),
    /** Folder of one server of the hub, by its name. */
    hubServer: (name: string) => join(home, name),
    hubConfig: (name: string) => join(home, name, 'nats.conf'),
    /** Of all servers of the hub. */
    hubTls: join(home, 'hub', 'tls'),
    identity: join(home, 'identity'),
    bootstrap: join(home, 'identity', 'bootstrap.json'),
    creds: (user: string) => join(home, 'creds', `${user}.creds`),
    site: (name: string) => join(home, 'sites', name),
    /** Folder of a site's node by its number: that of the first is the site's own. */
    node: (site: string, node: number) =>
      node === 1 ? join(home, 'sites', site) : join(home, 'sites', site, 'nodes', `${site}-${node}`),
  };
}
export type CloudPaths = ReturnType<typeof cloudPaths>;
