import { InvalidArgumentError } from 'commander';

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted.`);
  };
}

/** A whole number, below 0 too. */
export function signedNumber(text: string): number {
  if (/^-?\d{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is wanted.');
}

/** 0 to 100, with or without a percent sign. */
export function percent(text: string): number {
  const value = /^\d{1,3}(?:\.\d{1,6})?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (value <= 100) return value;
  throw new InvalidArgumentError('a share from 0 to 100 percent is wanted.');
}

const AGO = /^(\d{1,6})([smhd])$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `10m`, `2h`, `3d`: ms. */
export function duration(text: string): number {
  const [, amountOf = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(amountOf) * (UNIT_MS[unit] ?? 0);
  if (ms >= 1_000 && ms <= 30 * 86_400_000) return ms;
  throw new InvalidArgumentError('a time from 1s to 30d is wanted, such as 90s, 10m, 2h.');
}

/** RFC 3339, or so long ago. */
export function moment(text: string): string {
  const [, amountOf, unit = ''] = AGO.exec(text) ?? [];
  const ms =
    amountOf !== undefined
      ? Date.now() - Number(amountOf) * (UNIT_MS[unit] ?? 0)
      : /^\d{4}-\d\d-\d\dT\d\d:\d\d.*(?:Z|[-+]\d\d:\d\d)$/.test(text)
        ? Date.parse(text)
        : Number.NaN;
  if (Number.isFinite(ms)) return new Date(ms).toISOString();
  throw new InvalidArgumentError('a moment such as 2026-11-22T04:52:00Z, or 15m, 2h, 3d ago, is wanted.');
}

/** Not negative, with decimals. */
export function amount(text: string): number {
  const value = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0) return value;
  throw new InvalidArgumentError('a number from 0 to 999999999 is wanted.');
}

/** Decimal degrees up to `max` on either side. */
export function degrees(max: number) {
  return (text: string): number => {
    const value = /^-?\d{1,3}(?:\.\d{1,12})?$/.test(text) ? Number(text) : Number.NaN;
    if (Math.abs(value) <= max) return value;
    throw new InvalidArgumentError(`degrees from -${max} to ${max} are wanted.`);
  };
}

/** An option that may be repeated. */
export function several(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}
