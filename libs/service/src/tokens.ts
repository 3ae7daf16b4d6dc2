/** Injection token of the `Bus`. */
export const BUS: unique symbol = Symbol.for('skerry.bus');
/** Injection token of the service's parsed configuration: its own variables and `BaseConfig`. */
export const CONFIG: unique symbol = Symbol.for('skerry.config');
