/** What somebody appended, all at once, and what he was told of that. */
export interface Appended {
  readonly site: string;
  /** Where it was written, when that is known. */
  readonly node: string | undefined;
  /** No two entries have the same. */
  readonly values: readonly string[];
  readonly startMs: number;
  /** When he was told that all of it is stored. */
  ackMs?: number;
  /** He was told that nothing of it is stored. */
  refused?: true;
  /** The dataset that the log was of all the while. */
  incarnation?: number;
}

/** The same as it counts in the end. `sure`: it has to be there, otherwise it may be. */
export interface CountedAppend extends Appended {
  sure: boolean;
}

/** An entry as it lies at the hub. */
export interface Lying {
  origin: string;
  number: number;
  value: string;
}

/** What is wrong with what a log holds in the end, given all that was appended to it; undefined when it may be so. */
export function wrongInLog(appended: readonly CountedAppend[], lying: readonly Lying[]): string | undefined {
  const places = new Map<string, Lying>();
  for (const entry of lying) {
    if (places.has(entry.value)) return `has ${entry.value} twice`;
    places.set(entry.value, entry);
  }
  const written = new Map(appended.flatMap((a) => a.values.map((value) => [value, a] as const)));
  for (const { value, origin } of lying) {
    const by = written.get(value);
    if (by === undefined) return `has ${value}, which nobody wrote, or was told that it was not taken`;
    if (!origin.startsWith(`${by.site}.`)) return `has ${value} of ${origin}, and ${by.site} wrote it`;
  }
  for (const a of appended) {
    const there = a.values.flatMap((value) => places.get(value) ?? []);
    if (a.sure && there.length < a.values.length)
      return `lacks ${a.values.join()}, which ${a.site} had stored`;
    if (there.length !== 0 && there.length !== a.values.length) return `has only some of ${a.values.join()}`;
    const [first] = there;
    if (there.some((e, i) => e.origin !== first?.origin || e.number !== first.number + i))
      return `has ${a.values.join()} not in a row`;
  }
  return wrongOrder(appended, places);
}

/** Of what was written at one node, what was acknowledged before another one was begun comes before that. */
function wrongOrder(
  appended: readonly CountedAppend[],
  places: ReadonlyMap<string, Lying>,
): string | undefined {
  const placed = appended.flatMap((a) => {
    const place = places.get(a.values[0] ?? '');
    return place === undefined || a.node === undefined ? [] : [{ ...a, place }];
  });
  for (const a of placed)
    for (const b of placed) {
      const isBefore = a.place.origin === b.place.origin && a.ackMs !== undefined && a.ackMs < b.startMs;
      if (isBefore && a.place.number > b.place.number)
        return `has ${a.values[0]} behind ${b.values[0]}, which ${a.node} wrote later`;
    }
  return undefined;
}
