/** Nothing is traced in a simulation. */
export function otelTracing(): never {
  throw new Error('no traces in a simulation');
}
