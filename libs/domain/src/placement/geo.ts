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
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, chord / 2));
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
