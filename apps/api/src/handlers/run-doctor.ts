import { statfs } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { type Bus, TimedOut, Unavailable } from '@skerry/bus';
import {
  type BucketDefinition,
  BUCKETS,
  bucketStream,
  type Doctor,
  type RedeliverRequest,
  RPC,
  type SiteView,
  type StreamDefinition,
  STREAMS,
} from '@skerry/contracts';
import { BUS, CONFIG } from '@skerry/service';
import type { ApiConfig } from '../config.js';
import { FleetStore } from '../stores/fleet.store.js';
import { AskHub, MAKE_ROOM } from './hub-health.js';
import { ShowUpgrade } from './show-upgrade.js';

type Check = Doctor['checks'][number];

/** Apps that must answer; api itself does by answering this. */
const APPS = ['policy', 'scheduler', 'replicator', 'inventory', 'telemetry'] as const;
const PROBE_WAIT_MS = 2_000;
/** Share of a stream's limit above which it is named. */
const NEARLY_FULL = 0.8;
/** Commands that wait for policy; more means that it does not keep up. */
const MANY_WAITING = 1_000;
const MAX_SKEW_MS = 2_000;
const MAX_OUTBOX = 10_000;
const HEARTBEAT_LATE_MS = 5_000;
const SITE_REMEDY =
  'make room on its disk; then restart its nats-server, unless its agent runs with `up` and does so by itself';
/** How an agent begins to say that the hub, restored from a backup, knows less than it. */
const UNKNOWN = 'the hub does not know ';
const UNKNOWN_REMEDY =
  '`skerry site report` of the site says what becomes of it; refused, apply its document again (what runs is taken over as it is), or stop it there with `skerry --site`';
/** The same of a dataset: copies go on as they are. */
const UNKNOWN_DATASET = `${UNKNOWN}dataset `;
const UNKNOWN_DATASET_REMEDY =
  'its copies stay there as they are, and nothing of them is lost: mend what is named, and apply its document again';
const MIN_FREE_BYTES = 1024 ** 3;

/** Looks at everything an operator would look at first. Never throws: what cannot be looked at is a failed check. */
@Injectable()
export class RunDoctor {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(AskHub) private readonly hub: AskHub,
    @Inject(ShowUpgrade) private readonly upgrade: ShowUpgrade,
  ) {}

  async run(): Promise<Doctor> {
    const places = [
      ...Object.values<StreamDefinition>(STREAMS),
      ...Object.values<BucketDefinition>(BUCKETS).map((b) => ({
        name: bucketStream(b.name),
        maxBytes: b.maxBytes,
      })),
    ];
    const asked = await Promise.all([
      this.hubHealth(),
      ...APPS.map((app) => this.app(app)),
      ...places.map((place) => this.stream(place)),
      this.deadLetters(),
      this.waitingCommands(),
      disk(this.config.tlsDir ?? '.'),
    ]);
    const views = this.fleet.views();
    const sites = views.flatMap((view) => this.site(view));
    const rest = [brake(views), ...sites, this.versions(), ...this.singlePoints()];
    return { checks: [this.connection(), ...asked, ...rest] };
  }

  private connection(): Check {
    const { connected } = this.bus;
    return check(
      'bus',
      connected,
      connected ? 'connected to the hub' : 'not connected to the hub',
      'is nats-server running? see the hub log',
    );
  }

  private async hubHealth(): Promise<Check> {
    const health = await this.hub.health();
    if (!health) return check('hub', false, 'nobody can tell how it fares', 'is policy running?');
    return check('hub', health.ok, health.detail, MAKE_ROOM);
  }

  /** Asks for a dead letter that cannot exist: an app that refuses is alive and reads its bus. */
  private async app(app: string): Promise<Check> {
    const probe: RedeliverRequest = { id: 0 };
    const began = performance.now();
    const alive = await this.bus.request(RPC.redeliver(app), probe, { timeoutMs: PROBE_WAIT_MS }).then(
      () => true,
      (error: unknown) => !(error instanceof Unavailable || error instanceof TimedOut),
    );
    const detail = alive ? `answers within ${Math.ceil(performance.now() - began)} ms` : 'does not answer';
    return check(`app ${app}`, alive, detail, `start it again, and look at its log`);
  }

  private async stream({ name, maxBytes }: { name: string; maxBytes: number }): Promise<Check> {
    const state = await this.bus.streamState(name).catch(() => undefined);
    if (!state)
      return check(
        `stream ${name}`,
        false,
        'is not there, or does not answer',
        'its owner makes it when it starts',
      );
    const share = state.bytes / maxBytes;
    const detail = `${state.messages} messages, ${(share * 100).toFixed(1)} % of ${Math.round(maxBytes / 2 ** 20)} MiB`;
    return check(
      `stream ${name}`,
      share < NEARLY_FULL,
      detail,
      'nearly full: what it keeps has to be reduced',
    );
  }

  private async deadLetters(): Promise<Check> {
    const state = await this.bus.streamState(STREAMS.DEAD.name).catch(() => undefined);
    const count = state?.messages ?? 0;
    return check(
      'dead letters',
      count === 0,
      count === 0 ? 'none' : `${count} messages could not be handled`,
      'look at them: skerry dlq ls',
    );
  }

  private async waitingCommands(): Promise<Check> {
    const state = await this.bus.streamState(STREAMS.CMD.name).catch(() => undefined);
    const count = state?.messages ?? 0;
    return check(
      'commands waiting',
      count < MANY_WAITING,
      `${count}`,
      'policy does not keep up: run another instance',
    );
  }

  private site({ site, state }: SiteView): Check[] {
    const name = `site ${site.name}`;
    if (site.membership === 'pending') return [check(name, true, 'has not joined yet')];
    const heard = this.fleet.lastHeard(site.name);
    if (!heard)
      return [
        check(
          name,
          false,
          `${state?.phase ?? 'unknown'}: no heartbeat heard`,
          'is its agent running, and its link up?',
        ),
      ];
    const ageMs = Date.now() - heard.atMs;
    const skewMs = Math.abs(heard.atMs - Date.parse(heard.heartbeat.sentAt));
    const { outboxMessages } = heard.heartbeat;
    const alive = ageMs < HEARTBEAT_LATE_MS && state?.phase === 'ready';
    const checks = [
      check(
        name,
        alive,
        `${state?.phase ?? 'unknown'}${state?.held ? HELD[state.held.by] : ''}, last heartbeat ${Math.round(ageMs / 1_000)} s ago`,
        'is its agent running, and its link up?',
      ),
      check(
        `${name} clock`,
        skewMs < MAX_SKEW_MS,
        `${Math.round(skewMs)} ms from this machine's`,
        'set the clocks by NTP',
      ),
    ];
    const troubles = (heard.heartbeat.troubles ?? []).map((text) =>
      check(`${name} trouble`, false, text, remedyOf(text)),
    );
    checks.push(...troubles);
    if (outboxMessages < MAX_OUTBOX) return checks;
    return [
      ...checks,
      check(
        `${name} outbox`,
        false,
        `${outboxMessages} reports wait`,
        'the hub does not take them as fast as they come',
      ),
    ];
  }

  private versions(): Check {
    const { version, steps } = this.upgrade.show();
    const tooFar = steps.filter(({ state }) => state === 'too-far').map(({ what }) => what);
    const behind = steps.filter(({ state }) => state === 'behind').length;
    const detail =
      tooFar.length > 0
        ? `too far from ${version}: ${tooFar.join(', ')}`
        : `${version}, ${behind} sites behind`;
    return check('versions', tooFar.length === 0, detail, 'skerry upgrade');
  }

  /** Named, not failed: what is single is somebody's decision. */
  private singlePoints(): Check[] {
    const hub = this.config.natsUrls.length > 1 ? [] : ['the hub has one nats-server'];
    const nodes = new Map<string, number>();
    for (const node of this.fleet.nodes()) nodes.set(node.site, (nodes.get(node.site) ?? 0) + 1);
    const sites = [...nodes].filter(([, count]) => count === 1).map(([site]) => site);
    const lone =
      sites.length === 0 ? [] : [`one node with the only nats-server: ${sites.toSorted().join(', ')}`];
    const found = [...hub, ...lone];
    return [check('single points of failure', true, found.length === 0 ? 'none known' : found.join('; '))];
  }
}

/** Whether inventory moves nothing, since so many sites fell silent at once that the fault is taken to be the hub's. */
/** What to do about what a site says is wrong there. */
export function remedyOf(trouble: string): string {
  if (trouble.startsWith(UNKNOWN_DATASET)) return UNKNOWN_DATASET_REMEDY;
  return trouble.startsWith(UNKNOWN) ? UNKNOWN_REMEDY : SITE_REMEDY;
}

function brake(views: readonly SiteView[]): Check {
  const braked = views.flatMap(({ state }) => (state?.held?.by === 'brake' ? [state] : []));
  const since = braked.flatMap(({ held }) => held?.since ?? []).toSorted()[0];
  if (since === undefined) return check('brake', true, 'off: what sites that fall silent ran is moved');
  return check(
    'brake',
    false,
    `on since ${since}: ${braked.length} sites fell silent at once, nothing is moved`,
    'look at the hub and its links first; it is let go when sites are heard again',
  );
}

/** Why a site's silence has no consequence yet, or it is not ready though it is heard. */
const HELD = {
  brake: ', the brake is on',
  moves: ', waits until more may be moved this minute',
  flapping: ', heard but held down: it comes and goes',
} as const;

async function disk(folder: string): Promise<Check> {
  const stats = await statfs(folder).catch(() => undefined);
  if (!stats) return check('disk', true, 'not known');
  const free = stats.bavail * stats.bsize;
  return check(
    'disk',
    free > MIN_FREE_BYTES,
    `${(free / 1024 ** 3).toFixed(1)} GiB free on the machine of api`,
    'free some space: a full disk stops every write',
  );
}

function check(name: string, ok: boolean, detail: string, hint?: string): Check {
  return { check: name, ok, detail, ...(ok || hint === undefined ? {} : { hint }) };
}
