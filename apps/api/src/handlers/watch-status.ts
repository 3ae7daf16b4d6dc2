import { Inject, Injectable } from '@nestjs/common';
import { type Status, workloadKey } from '@skerry/contracts';
import type { EventStream } from '../http/streams.js';
import { LiveStatusStore } from '../stores/live-status.store.js';
import { WorkloadViews } from './workload-view.js';

/** Streams the read model: everything, `caught-up`, then every change. A slow reader gets the newest of each workload. */
@Injectable()
export class WatchStatus {
  constructor(
    @Inject(LiveStatusStore) private readonly live: LiveStatusStore,
    @Inject(WorkloadViews) private readonly views: WorkloadViews,
  ) {}

  async stream(stream: EventStream, project: string | undefined): Promise<void> {
    const pending = new Map<string, Status>();
    let wake: () => void = () => undefined;
    // Listening begins before the list is read, so that no change falls between.
    const stop = this.live.watch((status) => {
      if (project !== undefined && status.project !== project) return;
      pending.set(workloadKey(status.project, status.name), status);
      wake();
    });
    stream.signal.addEventListener('abort', () => wake(), { once: true });
    try {
      await this.list(stream, project);
      while (!stream.signal.aborted) {
        if (pending.size === 0) await new Promise<void>((resolve) => (wake = resolve));
        const next = [...pending.values()];
        pending.clear();
        for (const status of next) await stream.send('status', status);
      }
    } finally {
      stop();
    }
  }

  private async list(stream: EventStream, project: string | undefined): Promise<void> {
    let after: string | undefined;
    do {
      const page = await this.views.page({
        ...(project === undefined ? {} : { project }),
        ...(after === undefined ? {} : { after }),
      });
      for (const status of page.items) await stream.send('status', status);
      after = page.next;
    } while (after !== undefined && !stream.signal.aborted);
    await stream.send('caught-up', {});
  }
}
