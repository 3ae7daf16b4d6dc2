import { readFileSync } from 'node:fs';
import {
  type AddSite,
  type FreeShape,
  parse,
  type SiteDescription,
  siteDescriptionSchema,
  type SiteView,
} from '@skerry/contracts';
import { parse as parseYaml } from 'yaml';
import { CommandFailed, EXIT } from '../exit-codes.js';
import { findSite } from '../names.js';
import { showReport } from '../output/report-lines.js';
import { plain } from '../output/terminal.js';
import type { Session } from './session.js';

/** `skerry site ls`. */
export async function listSites({ client, terminal }: Session): Promise<void> {
  const views = await terminal.during('reading the sites', client.sites());
  terminal.result(views, () =>
    terminal.table(
      ['SITE', 'PHASE', 'KIND', 'WHERE', 'JURISDICTIONS', 'NODES', 'REPLICAS', 'RUNNING', 'HUB RTT'],
      views.map(({ site, state, replicas, running }) => [
        site.name,
        phaseOf({ site, state }),
        site.kind,
        plain(site.location.city ?? site.location.country ?? `${site.location.lat}, ${site.location.lon}`),
        site.jurisdictions.join(' ') || '-',
        String(state?.nodes ?? 0),
        String(replicas),
        String(running),
        state?.hubRttMs === undefined ? '-' : `${state.hubRttMs.toFixed(0)} ms`,
      ]),
    ),
  );
  terminal.next(`skerry site show ${views[0]?.site.name ?? 'SITE'}`, 'skerry node ls');
}

/** `skerry site report SITE`: from what came up of its journal. */
export async function reportSite({ client, terminal }: Session, name: string): Promise<void> {
  const { site } = await findSite(client, name);
  const report = await terminal.during('reading the report', client.siteReport(site.name));
  terminal.result(report, () => showReport(report, terminal));
  terminal.next(`skerry site show ${site.name}`, 'skerry status');
}

/** `skerry site show SITE`. */
export async function showSite({ client, terminal }: Session, name: string): Promise<void> {
  const view = await findSite(client, name);
  terminal.result(view, () => {
    const { site, state } = view;
    const { location, prices } = site;
    const shapes = state?.capacity.shapes ?? [];
    const rows: [string, string][] = [
      ['site', `${site.name} (${site.kind}, ${site.provider})`],
      ['phase', `${phaseOf(view)}${state ? ` since ${state.since}` : ''}`],
      [
        'where',
        plain(
          [location.city, location.country, `${location.lat}, ${location.lon}`].filter(Boolean).join(', '),
        ),
      ],
      ['law', site.jurisdictions.join(', ') || 'none named: passes no residency rule that allows'],
      [
        'labels',
        plain(
          Object.entries(site.labels)
            .map(([key, value]) => `${key}=${value}`)
            .join(' '),
        ) || '-',
      ],
      [
        'prices',
        `core ${prices.cpuCoreMonth}, GiB ${prices.memoryGiBMonth} a month; egress GiB ${prices.egressGiB}${prices.gpuMonth > 0 ? `, GPU ${prices.gpuMonth} a month` : ''}`,
      ],
      ['room', shapes.map(shapeText).join(', ') || 'none reported'],
      ...furtherRows(site),
      ['replicas', `${view.replicas} placed, ${view.running} running`],
    ];
    for (const [key, value] of rows) terminal.say(`${terminal.colours.bold(key.padEnd(10))}${value}`);
  });
  terminal.next('skerry node ls', `skerry site cordon ${view.site.name}`);
}

/** What few sites have: shown only when it is there. */
function furtherRows(site: SiteView['site']): [string, string][] {
  const links = Object.entries(site.links).map(([to, { bandwidthMbps, egressGiB }]) =>
    [
      to,
      bandwidthMbps === undefined ? '' : `${bandwidthMbps} Mbit/s`,
      egressGiB === undefined ? '' : `${egressGiB} a GiB`,
    ]
      .filter((part) => part !== '')
      .join(' '),
  );
  const rows: [string, string][] = [
    ['taints', site.taints.map(taintText).join(', ')],
    ['uplink', site.bandwidthMbps === undefined ? '' : `${site.bandwidthMbps} Mbit/s`],
    ['links', links.join(', ')],
    ['datasets', site.datasets.join(', ')],
  ];
  return rows.filter(([, value]) => value !== '').map(([key, value]) => [key, plain(value)]);
}

/** `gpu=shared: no-new`, as taints are written in a site's description. */
function taintText({ key, value, effect }: SiteView['site']['taints'][number]): string {
  return `${key}${value === '' ? '' : `=${value}`}: ${effect}`;
}

function shapeText({ nodes, cpuMillicores, memoryMiB, gpus, gpuModel }: FreeShape): string {
  return `${nodes} × ${cpuMillicores}m ${memoryMiB} MiB${gpus ? ` ${gpuText(gpus, gpuModel)}` : ''}`;
}

function gpuText(gpus: number | undefined, model: string | undefined): string {
  if (!gpus) return '-';
  return `${gpus} × ${model ?? 'GPU'}`;
}

export interface AddSiteOptions {
  file?: string;
  lat?: number;
  lon?: number;
  city?: string;
  country?: string;
  kind?: string;
  provider?: string;
  jurisdiction: string[];
  label: string[];
  address?: string;
}

/** `skerry site add NAME`: adds it, opens the join endpoint, prints the line for the new machine. */
export async function addSite(
  { client, terminal }: Session,
  name: string,
  options: AddSiteOptions,
): Promise<void> {
  const request: AddSite = {
    site: (await waiting(client, name, options)) ?? description(name, options),
    ...(options.address === undefined ? {} : { address: options.address }),
  };
  const answer = await terminal.during('adding the site', client.addSite(request));
  terminal.result(answer, () => {
    terminal.say(`${name} is added and waits at ${answer.endpoint} until ${answer.expiresAt}.`);
    terminal.say('On the new machine (Node 20 and a shell; the token works once):');
    terminal.say();
    terminal.say(answer.command);
  });
  terminal.next('skerry site ls', `skerry events -f ${name}`);
}

/** Called with the name alone, a site that waits to join keeps its description: it is only given a new token. */
async function waiting(
  client: Session['client'],
  name: string,
  { file, lat, lon }: AddSiteOptions,
): Promise<SiteDescription | undefined> {
  if (file !== undefined || lat !== undefined || lon !== undefined) return undefined;
  const known = (await client.sites()).find(({ site }) => site.name === name)?.site;
  if (known?.membership !== 'pending') return undefined;
  const given = Object.entries(known).filter(([key]) => key in siteDescriptionSchema.shape);
  const parsed = parse(siteDescriptionSchema, Object.fromEntries(given));
  return parsed.ok ? parsed.value : undefined;
}

/** From a file, from options, or both: options win. Throws `CommandFailed` with everything that is wrong. */
function description(name: string, options: AddSiteOptions): SiteDescription {
  const { lat, lon, city, country, kind, provider, jurisdiction, label } = options;
  const base = options.file === undefined ? {} : readDescription(options.file);
  const location = defined({ ...objectAt(base, 'location'), ...defined({ lat, lon, city, country }) });
  const input = {
    ...base,
    name,
    location,
    ...defined({ kind, provider }),
    ...(jurisdiction.length > 0 ? { jurisdictions: jurisdiction } : {}),
    ...(label.length > 0 ? { labels: Object.fromEntries(label.map(labelOf)) } : {}),
  };
  const parsed = parse(siteDescriptionSchema, input);
  if (parsed.ok) return parsed.value;
  const lines = parsed.issues.map(({ path, problem, value, allowed }) => {
    return `${path}: ${problem}${value === undefined ? '' : `: ${value}`}${allowed ? `; allowed: ${allowed}` : ''}`;
  });
  throw new CommandFailed(
    EXIT.usage,
    'the site is not described rightly',
    'a location is needed: --lat 53.55 --lon 9.99',
    lines,
  );
}

function readDescription(path: string): object {
  try {
    const value: unknown = parseYaml(readFileSync(path, 'utf8'), { maxAliasCount: 0 });
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new CommandFailed(EXIT.usage, `${path} cannot be read as a site: ${why}`);
  }
  throw new CommandFailed(EXIT.usage, `${path} holds no description of a site`);
}

function objectAt(value: object, key: string): object {
  const inner: unknown = Reflect.get(value, key);
  return typeof inner === 'object' && inner !== null ? inner : {};
}

function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new CommandFailed(EXIT.usage, `--label ${text}: a label is written key=value`);
}

/** `skerry site cordon|uncordon SITE`: no new work, or new work again. */
export async function cordonSite(
  { client, terminal }: Session,
  name: string,
  cordoned: boolean,
): Promise<void> {
  const { site } = await findSite(client, name);
  const done = await terminal.during('waiting for admission', client.cordon(site.name, cordoned));
  terminal.result(done, () =>
    terminal.say(`${site.name} takes ${cordoned ? 'no new work; what runs there stays' : 'new work again'}`),
  );
  terminal.next(`skerry site show ${site.name}`);
}

/** `skerry node ls`. */
export async function listNodes({ client, terminal }: Session): Promise<void> {
  const nodes = await terminal.during('reading the nodes', client.nodes());
  terminal.result(nodes, () =>
    terminal.table(
      ['SITE', 'NODE', 'PHASE', 'ADDRESS', 'SYSTEM', 'CPU', 'MEMORY', 'GPUS', 'DRIVERS', 'CGROUP', 'AGENT'],
      nodes.map((node) => [
        node.site,
        node.node,
        node.phase ?? '-',
        plain(node.address),
        plain(`${node.os} ${node.arch}`),
        `${node.allocatable.cpuMillicores}m`,
        `${node.allocatable.memoryMiB} MiB`,
        gpuText(node.allocatable.gpus, node.allocatable.gpuModel),
        node.drivers.join(' '),
        node.cgroup,
        plain(node.agentVersion),
      ]),
    ),
  );
  terminal.next('skerry site ls');
}

/** Why its silence has no consequence yet, or it is not ready though it is heard. */
const HELD = { brake: 'brake on', moves: 'waits to be moved', flapping: 'held down' } as const;

function phaseOf({ site, state }: { site: SiteView['site']; state?: SiteView['state'] | undefined }): string {
  const phase = site.membership === 'joined' ? (state?.phase ?? 'joined') : site.membership;
  return [
    phase,
    ...(state?.held ? [HELD[state.held.by]] : []),
    ...(site.cordoned ? ['cordoned'] : []),
    ...(site.draining ? ['draining'] : []),
    ...(state?.standing ? [`nodes ${state.standing}`] : []),
    ...(site.taints.length > 0 ? ['tainted'] : []),
  ].join(', ');
}
