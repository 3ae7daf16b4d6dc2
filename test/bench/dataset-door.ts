import { setTimeout as sleep } from 'node:timers/promises';
import { Connections } from './local-http.js';

/** Connections to one agent's endpoint. */
const SOCKETS = 64;
const WAIT_MS = 8_000;
/** Before a watcher that was not answered asks again. */
const AGAIN_MS = 50;

interface Change {
  key: string;
}

/** An agent's local endpoint as a replica uses it, with connections that stay open. */
export class DataDoor {
  private readonly writers: Connections;
  private readonly watchers = new Set<Connections>();

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly token: string,
  ) {
    this.writers = new Connections(host, port, SOCKETS);
  }

  async put(dataset: string, key: string, value: string): Promise<void> {
    await this.call('PUT', `${dataset}/${key}`, value);
  }

  /** Counts or changes a set. */
  async post(dataset: string, key: string, change: object): Promise<void> {
    await this.call('POST', `${dataset}/${key}`, JSON.stringify(change));
  }

  /** What a key holds; undefined for nothing. */
  async get(dataset: string, key: string): Promise<Record<string, unknown> | undefined> {
    const { entry } = await this.call('GET', `${dataset}/${key}`).catch(() => ({ entry: undefined }));
    return typeof entry === 'object' && entry !== null ? { ...entry } : undefined;
  }

  /** Every key with what it holds, by pages. */
  async all(dataset: string): Promise<Map<string, Record<string, unknown>>> {
    const found = new Map<string, Record<string, unknown>>();
    let after = '';
    for (;;) {
      const from = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
      const { entries, next } = await this.call('GET', `${dataset}?limit=1000${from}`);
      if (!Array.isArray(entries)) throw new Error('no entries');
      for (const entry of entries) found.set(String(entry.key), entry);
      if (typeof next !== 'string') return found;
      after = next;
    }
  }

  /** Calls with each key that changes from now on, until stopped. Resolves when it watches. */
  async watch(dataset: string, onKey: (key: string, at: number) => void): Promise<() => void> {
    let since = String((await this.call('GET', `${dataset}?watch=1&waitMs=0`))['since']);
    const connections = new Connections(this.host, this.port, 1);
    this.watchers.add(connections);
    void (async () => {
      while (this.watchers.has(connections)) {
        const path = `${dataset}?watch=1&since=${since}&waitMs=${WAIT_MS}`;
        const answer = await this.call('GET', path, undefined, connections).catch(() => undefined);
        const at = performance.now();
        if (answer === undefined) {
          await sleep(AGAIN_MS);
          continue;
        }
        since = String(answer['since']);
        const changes: Change[] = Array.isArray(answer['changes']) ? answer['changes'] : [];
        for (const { key } of changes) onKey(key, at);
      }
    })();
    return () => {
      this.watchers.delete(connections);
      connections.destroy();
    };
  }

  close(): void {
    this.writers.destroy();
    for (const connections of this.watchers) connections.destroy();
    this.watchers.clear();
  }

  private async call(
    method: string,
    path: string,
    body = '',
    connections = this.writers,
  ): Promise<Record<string, unknown>> {
    const { status, text } = await connections.ask({
      method,
      path: `/v1/data/${path}`,
      token: this.token,
      body,
    });
    if (status === 200) return JSON.parse(text);
    throw new Error(`${method} ${path}: ${status} ${text}`);
  }
}
