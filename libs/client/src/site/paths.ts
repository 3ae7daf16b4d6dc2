/** The path of a dataset at the agent, or of a key in it. Throws for a name that no path can say. */
export function datasetPath(name: string, key?: string): string {
  return key === undefined ? `v1/data/${part(name)}` : `v1/data/${part(name)}/${part(key)}`;
}

export function logPath(name: string): string {
  return `v1/logs/${part(name)}`;
}

function part(name: string): string {
  // Such a part would be taken out of the address on the way.
  if (name === '' || name === '.' || name === '..')
    throw new RangeError(`no address can name ${JSON.stringify(name)}: give it another name`);
  return encodeURIComponent(name);
}
