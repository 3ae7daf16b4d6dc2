const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 base32 without padding, as nkeys and JWT ids use it. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    count += 8;
    while (count >= 5) {
      count -= 5;
      text += ALPHABET.charAt((bits >>> count) & 31);
    }
    bits &= (1 << count) - 1;
  }
  return count === 0 ? text : text + ALPHABET.charAt((bits << (5 - count)) & 31);
}

/**
 * Reads unpadded base32. Undefined for a foreign character, an impossible length, or left-over bits
 * that are not zero: so every byte string has exactly one text.
 */
export function decodeBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8));
  let at = 0;
  let bits = 0;
  let count = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return undefined;
    bits = (bits << 5) | value;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = (bits >>> count) & 255;
    bits &= (1 << count) - 1;
  }
  return count >= 5 || bits !== 0 ? undefined : bytes;
}
