import type { ProcessSpec } from '@skerry/local';

/** The same process with another time of day, so many ms off. Only for programs of Node; the kernel has one clock for all. */
export function withClock(spec: ProcessSpec, offMs: number): ProcessSpec {
  const code = `const D=Date;globalThis.Date=class extends D{constructor(...a){if(a.length)super(...a);else super(D.now()+(${offMs}))}static now(){return D.now()+(${offMs})}}`;
  const option = `--import=data:text/javascript,${encodeURIComponent(code)}`;
  return { ...spec, env: { ...spec.env, NODE_OPTIONS: option } };
}
