import { crc32 } from 'node:zlib';

const CRC_CHARS = 8;

/** A value as a line that says whether it is whole: `<crc32> <json>`. */
export function lineOf(value: unknown): Buffer {
  const text = JSON.stringify(value);
  return Buffer.from(`${checkOf(text)} ${text}\n`);
}

/** What a line says; undefined when it is not what was written. */
export function valueOf(line: string): unknown {
  const json = line.slice(CRC_CHARS + 1);
  if (checkOf(json) !== line.slice(0, CRC_CHARS)) return undefined;
  return JSON.parse(json);
}

function checkOf(text: string): string {
  return crc32(text).toString(16).padStart(CRC_CHARS, '0');
}
