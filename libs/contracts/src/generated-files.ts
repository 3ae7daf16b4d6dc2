import { asyncApiDocument } from './asyncapi.js';
import { CATALOG, jsonSchemaOf } from './catalog.js';
import { keysOf } from './primitives.js';

/** Every generated file by its path below `generated/`, as text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map([['asyncapi.json', textOf(asyncApiDocument())]]);
  for (const name of keysOf(CATALOG)) {
    files.set(`schemas/${name}.json`, textOf(jsonSchemaOf(name)));
  }
  return files;
}

function textOf(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
