const MAX_BYTES = 4_096;

/** The join token from `SKERRY_JOIN_TOKEN`, else from standard input. Throws, saying how to give it, when there is none. */
export async function readToken(): Promise<string> {
  const given = process.env['SKERRY_JOIN_TOKEN'] ?? (process.stdin.isTTY ? '' : await readInput());
  // What replicas and servers inherit shall not hold it.
  delete process.env['SKERRY_JOIN_TOKEN'];
  const token = given.trim();
  if (token === '') {
    throw new Error(
      'the join token is missing: give it by standard input (printf %s TOKEN | …) or by SKERRY_JOIN_TOKEN',
    );
  }
  return token;
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES)
      throw new Error(`more than ${MAX_BYTES} bytes on standard input: this is no join token`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
