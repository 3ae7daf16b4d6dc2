import { Agent, request } from 'node:http';

/** Connections to one agent's endpoint. */
const SOCKETS = 64;
const WAIT_MS = 8_000;

interface Change {
  key: string;
}

/** An agent's local endpoint as a replica uses it, with connections that stay open. */
export class DataDoor {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  private readonly watcher = new Agent({ keepAlive: true });

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly token: string,
  ) {}

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
    const ending = new AbortController();
    void (async () => {
      while (!ending.signal.aborted) {
        const path = `${dataset}?watch=1&since=${since}&waitMs=${WAIT_MS}`;
        const answer = await this.call('GET', path, undefined, this.watcher).catch(() => undefined);
        const at = performance.now();
        if (answer === undefined) continue;
        since = String(answer['since']);
        const changes: Change[] = Array.isArray(answer['changes']) ? answer['changes'] : [];
        for (const { key } of changes) onKey(key, at);
      }
    })();
    return () => {
      ending.abort();
      this.watcher.destroy();
    };
  }

  close(): void {
    this.agent.destroy();
    this.watcher.destroy();
  }

  private async call(
    method: string,
    path: string,
    body?: string,
    agent = this.agent,
  ): Promise<Record<string, unknown>> {
    const { host, port, token } = this;
    return await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const asked = request({ host, port, method, agent, headers, path: `/v1/data/${path}` }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) return resolve(JSON.parse(text));
          reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }
}
