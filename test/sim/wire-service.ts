import type { Bus } from '@skerry/bus';
import {
  allVariables,
  BUS,
  BusStrategy,
  CONFIG,
  JsonLog,
  parseConfig,
  Readiness,
  Roles,
  type ServiceDefinition,
  type Variables,
} from '@skerry/service';
import 'reflect-metadata';

type Class = new (...args: never[]) => object;
type Method = (...args: unknown[]) => unknown;

/** Keys under which Nest's decorators leave what they say. */
const KEYS = {
  providers: 'providers',
  controllers: 'controllers',
  types: 'design:paramtypes',
  tokens: 'self:paramtypes',
  pattern: 'microservices:pattern',
  kind: 'microservices:handler_type',
  extras: 'microservices:pattern_extras',
} as const;
const EVENT = 2;

/** What a service finds where it runs. */
export interface Surroundings {
  bus: Bus;
  /** Takes a line of its log. */
  say: (line: string) => void;
  env?: Record<string, string>;
  /** What a factory would make, by its token. */
  given?: ReadonlyMap<unknown, object>;
}

/**
 * Starts a service as `startService` does, without Nest's container and its HTTP port: the module's own classes, wired by
 * what their constructors ask for, and every method of its controllers on the bus. Resolves when it hears everything.
 */
export async function wireService<V extends Variables>(
  definition: ServiceDefinition<V>,
  instance: string,
  at: Surroundings,
): Promise<void> {
  const { name, module } = definition;
  const env = { SKERRY_NATS_URL: 'nats://simulated', SKERRY_INSTANCE: instance, ...at.env };
  const parsed = parseConfig(allVariables(definition), env);
  if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.problems)}`);
  const log = new JsonLog(name, instance, 'info', (line) => at.say(line));
  const readiness = new Readiness(name, instance);
  let running = false;
  readiness.gate(() => (running ? undefined : 'starting'));
  readiness.gate(() => (at.bus.connected ? undefined : 'not connected to the bus'));
  const strategy = new BusStrategy(name, at.bus, readiness);
  const roles = new Roles({ bus: at.bus, holder: `${name}-${instance}`, log }, readiness);
  const made = new Map<unknown, object>([
    [BUS, at.bus],
    [CONFIG, { ...parsed.value, instance }],
    [Readiness, readiness],
    [Roles, roles],
    [JsonLog, log],
    ...(at.given ?? []),
  ]);
  const providers = classesIn(module, KEYS.providers).map((type) => make(type, made));
  for (const type of classesIn(module, KEYS.controllers)) hear(make(type, made), strategy);
  for (const provider of providers) call(provider, 'onModuleInit');
  for (const provider of providers) call(provider, 'onApplicationBootstrap');
  await new Promise<void>((resolve, reject) => {
    const listening = (error?: unknown) => (error instanceof Error ? reject(error) : resolve());
    void strategy.listen(listening);
  });
  roles.begin(async (withinMs) => await strategy.upToNow(withinMs));
  running = true;
}

function make(type: Class, made: Map<unknown, object>): object {
  const there = made.get(type);
  if (there !== undefined) return there;
  const types = listOf(Reflect.getMetadata(KEYS.types, type));
  const tokens = new Map(listOf(Reflect.getMetadata(KEYS.tokens, type)).flatMap(tokenOf));
  const args = types.map((wanted, i) => {
    const token = tokens.get(i) ?? wanted;
    const found = made.get(token);
    if (found !== undefined) return found;
    if (!isClass(token)) throw new Error(`${type.name}: nothing for its parameter ${i}`);
    return make(token, made);
  });
  const instance: unknown = Reflect.construct(type, args);
  if (typeof instance !== 'object' || instance === null) throw new Error(`${type.name}: not an object`);
  made.set(type, instance);
  return instance;
}

function hear(controller: object, strategy: BusStrategy): void {
  const prototype: unknown = Object.getPrototypeOf(controller);
  if (typeof prototype !== 'object' || prototype === null) return;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method: unknown = Reflect.get(prototype, name);
    if (!isMethod(method) || name === 'constructor') continue;
    const patterns = listOf(Reflect.getMetadata(KEYS.pattern, method));
    const extras: unknown = Reflect.getMetadata(KEYS.extras, method);
    const isEvent = Reflect.getMetadata(KEYS.kind, method) === EVENT;
    const handler = async (payload: unknown) => await method.call(controller, payload);
    for (const pattern of patterns) {
      strategy.addHandler(pattern, Object.assign(handler, {}), isEvent, { ...objectOf(extras) });
    }
  }
}

function call(provider: object, hook: string): void {
  const method: unknown = Reflect.get(provider, hook);
  if (isMethod(method)) void method.call(provider);
}

function classesIn(module: Class, key: string): Class[] {
  return listOf(Reflect.getMetadata(key, module)).filter(isClass);
}

function tokenOf(entry: unknown): [number, unknown][] {
  const { index, param } = objectOf(entry);
  return typeof index === 'number' ? [[index, param]] : [];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isClass(value: unknown): value is Class {
  return typeof value === 'function';
}

function isMethod(value: unknown): value is Method {
  return typeof value === 'function';
}
