/** A point on the unit sphere. */
export type Position = readonly [x: number, y: number, z: number];

const EARTH_RADIUS_KM = 6_371;
const RADIANS = Math.PI / 180;

/** The unit vector of a latitude and longitude in degrees: distances between vectors know no date line. */
export function positionOf(place: { lat: number; lon: number }): Position {
  const lat = place.lat * RADIANS;
  const lon = place.lon * RADIANS;
  return [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)];
}

/** Great-circle distance in km. */
export function distanceKm(a: Position, b: Position): number {
  // The chord stays exact for near points, where the arc cosine of a product would not.
  const chord = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
  return kmOfChord(chord);
}

const FIBRE_KM_PER_MS = 200;
const PATH_STRETCH = 1.5;
const ACCESS_MS = 5;

/**
 * An estimated round trip in ms over `km` of great circle: light in fibre at two thirds of its speed in vacuum (200 km a
 * millisecond), there and back, paths 1.5 times as long as the great circle, and 5 ms for the last mile.
 */
export function estimatedRttMs(km: number): number {
  return ((2 * km) / FIBRE_KM_PER_MS) * PATH_STRETCH + ACCESS_MS;
}

/** Chords up to this long are looked up. Beyond, near the antipode, the arc bends too much: there the way to the antipode is. */
const LOOKED_UP_CHORD = 1.85;
const LOOKED_UP_SQUARED = LOOKED_UP_CHORD * LOOKED_UP_CHORD;
const PIECES = 2_048;
const PIECES_PER_CHORD = PIECES / LOOKED_UP_CHORD;
const RTT_BY_CHORD = Float64Array.from({ length: PIECES + 2 }, (_, i) =>
  estimatedRttMs(kmOfChord(Math.min(2, i / PIECES_PER_CHORD))),
);
/** Round trips to two opposite points together. */
const RTT_BOTH_WAYS = estimatedRttMs(0) + estimatedRttMs(kmOfChord(2));

/**
 * `estimatedRttMs` of the squared chord between two points of the unit sphere, from a table and within 0.0001 ms: a
 * decision asks for hundreds of thousands of them.
 */
export function rttMsOfSquaredChord(squared: number): number {
  return squared < LOOKED_UP_SQUARED ? lookedUp(squared) : RTT_BOTH_WAYS - lookedUp(Math.max(0, 4 - squared));
}

function lookedUp(squared: number): number {
  const at = Math.sqrt(squared) * PIECES_PER_CHORD;
  const piece = at | 0;
  const low = RTT_BY_CHORD[piece] ?? 0;
  return low + (at - piece) * ((RTT_BY_CHORD[piece + 1] ?? 0) - low);
}

function kmOfChord(chord: number): number {
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, chord / 2));
}
