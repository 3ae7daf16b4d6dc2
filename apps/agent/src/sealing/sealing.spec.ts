import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  copySchema,
  type DatasetRecord,
  type RecordState,
  type SealingNews,
  type Wanting,
} from '@skerry/contracts';
import { bareState, stateText } from '@skerry/domain';
import { NKey, writeSeed } from '@skerry/identity';
import * as fc from 'fast-check';
import { sealText } from './box.js';
import { nodeKeys } from './node-keys.js';
import { keyedDigest, openRecord, sealRecord, type HeldKey } from './record-box.js';
import { Sealing } from './sealing.js';
import { isSigned, isSignedWrap, rawOf, signedKey, unwrapKey, wrapKey } from './wrapped-key.js';

const ORIGIN = 'eu.00000000000000aa';
const OTHER = 'de.00000000000000bb';
const place = { project: 'shop', name: 'cart', incarnation: 3, area: 'eu', id: 'ab'.repeat(16) };
const key = (secret = randomBytes(32)): HeldKey => ({ ...place, secret });
const SECRET = 'what-nobody-may-read';

const STATES: readonly RecordState[] = [
  { rule: 'newest', at: [5, 1], by: ORIGIN, value: SECRET },
  { rule: 'newest', at: [5, 1], by: ORIGIN },
  { rule: 'single-writer', epoch: 1, at: [5, 1], by: ORIGIN, value: SECRET },
  { rule: 'counter', counts: { [ORIGIN]: [123_456, 7] } },
  { rule: 'set', seen: { [ORIGIN]: 4, [OTHER]: 2 }, members: { [SECRET]: [[OTHER, 2]] } },
  {
    rule: 'keep-both',
    seen: { [ORIGIN]: 4 },
    siblings: [{ by: ORIGIN, write: 4, at: [5, 1], value: SECRET }],
  },
];

const sealedOf = (state: RecordState, by: HeldKey): DatasetRecord => ({
  origin: ORIGIN,
  ...sealRecord({ key: 'k', write: 4, state }, { origin: ORIGIN, rule: {}, by }),
});

describe('a sealed record', () => {
  it('says nothing of what it holds, and is opened with the key, under every conflict rule', () => {
    const by = key();
    for (const state of STATES) {
      const record = sealedOf(state, by);
      expect(JSON.stringify(record)).not.toContain(SECRET);
      expect(JSON.stringify(record.state)).not.toContain('123456');
      expect(openRecord(record, by)).toEqual(state);
    }
  });

  it('does not show whether it is a deletion', () => {
    const [written, deleted] = STATES.map((state) => sealedOf(state, key()).state);
    expect(written).toEqual(deleted);
  });

  it('opens for nobody without the key, and for nothing but the place that it was sealed for', () => {
    const by = key();
    const record = sealedOf(STATES[0] ?? fail(), by);
    const moved: DatasetRecord[] = [
      { ...record, key: 'other' },
      { ...record, write: 5 },
      { ...record, origin: OTHER },
      { ...record, state: { rule: 'newest', at: [6, 1], by: ORIGIN } },
    ];
    for (const other of moved) expect(openRecord(other, by)).toBeUndefined();
    const keys: HeldKey[] = [
      key(),
      { ...by, name: 'other' },
      { ...by, project: 'other' },
      { ...by, incarnation: 4 },
      { ...by, area: 'us' },
      { ...by, id: 'cd'.repeat(16) },
    ];
    for (const other of keys) expect(openRecord(record, other)).toBeUndefined();
    expect(openRecord(record, by)).toBeDefined();
  });

  it('with one bit changed opens no more, whatever it holds', () => {
    const by = key();
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.nat(), (value, at) => {
        const record = sealedOf({ rule: 'newest', at: [1, 0], by: ORIGIN, value }, by);
        expect(openRecord(record, by)).toMatchObject({ value });
        const box = Buffer.from(record.sealed?.box ?? '', 'base64url');
        const bit = at % (box.length * 8);
        box[bit >> 3] = (box[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const changed = { ...record, sealed: { key: by.id, box: box.toString('base64url') } };
        expect(openRecord(changed, by)).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it('from a site that has the key and lies about whom it has seen is not opened', () => {
    const by = key();
    const lie: RecordState = { rule: 'set', seen: { [ORIGIN]: 4 }, members: { x: [[OTHER, 9]] } };
    expect(openRecord(sealedOf(lie, by), by)).toBeUndefined();
  });

  it('from a site that has the key and sealed what is no state is not opened', () => {
    const by = key();
    const state = bareState(STATES[0] ?? fail());
    const { project, name, incarnation, area, id } = by;
    const purpose = 'skerry-record-v1';
    const where = [purpose, project, name, incarnation, area, id, ORIGIN, 'k', 4, stateText(state)];
    const boxed = (text: string): DatasetRecord => {
      const box = sealText(text, { secret: by.secret, purpose, bound: JSON.stringify(where) });
      return { origin: ORIGIN, key: 'k', write: 4, state, sealed: { key: id, box } };
    };
    expect(openRecord(boxed(JSON.stringify(STATES[0])), by)).toEqual(STATES[0]);
    for (const text of ['no JSON', '', '{}', 'null']) expect(openRecord(boxed(text), by)).toBeUndefined();
  });

  it('has a digest that only who has the key can make', () => {
    const by = key();
    expect(keyedDigest('d', by)).toBe(keyedDigest('d', by));
    expect(new Set([keyedDigest('d', by), keyedDigest('e', by), keyedDigest('d', key())]).size).toBe(3);
  });
});

describe('a wrapped key', () => {
  const own = generateKeyPairSync('x25519');
  const me = { site: 'de', store: '00000000000000bb', publicKey: rawOf(own.publicKey) };
  const nkey = NKey.create('user');

  it('is unwrapped by the node that it is for, and by no other', () => {
    const held = key();
    const wrap = wrapKey(held, me, { site: 'eu', nkey });
    expect(unwrapKey(place, wrap, own.privateKey)).toEqual(held);
    expect(unwrapKey(place, wrap, generateKeyPairSync('x25519').privateKey)).toBeUndefined();
    expect(unwrapKey({ ...place, name: 'other' }, wrap, own.privateKey)).toBeUndefined();
    expect(unwrapKey(place, { ...wrap, store: '00000000000000cc' }, own.privateKey)).toBeUndefined();
    const zero = Buffer.alloc(32).toString('base64url');
    expect(unwrapKey(place, { ...wrap, ephemeral: zero }, own.privateKey)).toBeUndefined();
  });

  it('is believed from the site that signed it alone', () => {
    const wrap = wrapKey(key(), me, { site: 'eu', nkey });
    expect(isSignedWrap(place, wrap)).toBe(true);
    const other = wrapKey(key(), me, { site: 'eu', nkey });
    const wrong = [
      { ...wrap, box: other.box },
      { ...wrap, by: 'us' },
      { ...wrap, site: 'us' },
      { ...wrap, identity: NKey.create('user').publicKey },
    ];
    for (const forged of wrong) expect(isSignedWrap(place, forged)).toBe(false);
    expect(isSignedWrap({ ...place, area: 'us' }, wrap)).toBe(false);
  });

  it('goes to a key that its site has signed', () => {
    const signed = signedKey(me, nkey);
    expect(isSigned(me, signed)).toBe(true);
    expect(isSigned({ ...me, site: 'us' }, signed)).toBe(false);
    const other = rawOf(createPublicKey(generateKeyPairSync('x25519').privateKey));
    expect(isSigned(me, { ...signed, publicKey: other })).toBe(false);
  });
});

const RULE = copySchema.parse({
  project: 'shop',
  name: 'cart',
  incarnation: 3,
  generation: 3,
  conflicts: 'newest',
  limits: {},
  encryption: { at: 'site' },
  residency: { stay: ['eu'] },
});

describe('keys of an encrypted copy', () => {
  let dir: string;
  const alarms: object[] = [];
  const ignore = () => undefined;
  const log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_text: string, more: object = {}) => void alarms.push(more),
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-sealing-'));
    alarms.length = 0;
  });
  afterEach(async () => await rm(dir, { recursive: true }));

  /** A node of a site, and what it says to the hub when it is told of keys. */
  async function nodeOf(site: string, store: string, nkey = NKey.create('user')) {
    const folder = join(dir, site);
    const seed = join(folder, 'user.seed');
    await writeSeed(seed, nkey);
    const keys = nodeKeys({ folder, seed, log });
    const sealing = new Sealing({ folder, seed, keys, site, store: () => store, log });
    const copy = await sealing.of(RULE, ignore);
    const self = async (jurisdictions = ['eu']): Promise<Wanting> => {
      const said = (await sealing.request())?.key;
      if (said === undefined) throw new Error('no key');
      return { site, store, jurisdictions, key: said, lacks: [] };
    };
    /** Tells it; what it offers then. */
    const told = async (news: SealingNews) => {
      await copy.heard(news);
      return (await sealing.request())?.offers ?? [];
    };
    const change = async (rule: typeof RULE) => void (await sealing.of(rule, ignore));
    return { copy, folder, self, told, change };
  }

  const listed = (id: string, more: object = {}) => ({
    id,
    area: 'eu',
    madeAt: '2026-01-01T00:00:00.000Z',
    ...more,
  });

  it('are made where there is none, used once the hub has them, and opened by who they were wrapped for', async () => {
    const eu = await nodeOf('eu', '00000000000000aa');
    const de = await nodeOf('de', '00000000000000bb');
    const us = await nodeOf('us', '00000000000000cc');
    const state: RecordState = { rule: 'newest', at: [1, 0], by: ORIGIN, value: SECRET };
    const record = { key: 'k', write: 1, state };
    const wanting = [await de.self(), await us.self(['us'])];
    const [offer] = await eu.told({ keys: [], wanting });
    if (offer === undefined) throw new Error('nothing offered');
    // The law lets no site in `us` have it, whatever the hub says.
    expect(offer.wraps.map(({ site }) => site).toSorted()).toEqual(['de', 'eu']);
    expect(eu.copy.seal([record], ORIGIN)).toBeUndefined();
    await eu.told({ keys: [listed(offer.id)], wanting: [] });
    const [sealed] = eu.copy.seal([record], ORIGIN) ?? [];
    if (sealed === undefined) throw new Error('not sealed');
    const came = { origin: ORIGIN, ...sealed };
    expect(de.copy.open([came])).toEqual([]);
    expect(de.copy.missed).toBe(true);
    const wrap = offer.wraps.find(({ site }) => site === 'de');
    expect(await de.copy.heard({ keys: [listed(offer.id, { wrap })], wanting: [] })).toBe(true);
    expect(de.copy.open([came])).toEqual([{ origin: ORIGIN, ...record }]);
    await us.told({
      keys: [listed(offer.id, { wrap: { ...wrap, site: 'us', store: '00000000000000cc' } })],
      wanting: [],
    });
    expect(us.copy.open([came])).toEqual([]);
    expect(alarms).toEqual([expect.objectContaining({ alarm: 'key-forged' })]);
  });

  it('have all that was passed over read again, before they are kept, and also when the node began anew since', async () => {
    const [eu, nkey] = [await nodeOf('eu', '00000000000000aa'), NKey.create('user')];
    await nodeOf('de', '00000000000000bb', nkey);
    const de = await nodeOf('de', '00000000000000bb', nkey);
    const [offer] = await eu.told({ keys: [], wanting: [await de.self()] });
    const [id, wrap] = [offer?.id ?? '', offer?.wraps.find(({ site }) => site === 'de')];
    let reads = 0;
    const readAgain = async () => {
      expect(de.copy.ring.get(id)).toBeUndefined();
      reads = await Promise.resolve(reads + 1);
    };
    // Until it has them, nobody takes its copy for one that has all.
    expect(de.copy.isPartial).toBe(true);
    expect(await de.copy.heard({ keys: [listed(id)], wanting: [] }, readAgain)).toBe(false);
    expect(de.copy.isPartial).toBe(true);
    expect(await de.copy.heard({ keys: [listed(id, { wrap })], wanting: [] }, readAgain)).toBe(true);
    expect(de.copy.isPartial).toBe(false);
    expect([reads, de.copy.ring.get(id)?.id]).toEqual([1, id]);
  });

  it('are not used any more when a site has one that may not, and what was sealed with them is still read', async () => {
    const eu = await nodeOf('eu', '00000000000000aa');
    const [first] = await eu.told({ keys: [], wanting: [] });
    const id = first?.id ?? '';
    await eu.told({ keys: [listed(id)], wanting: [] });
    const state: RecordState = { rule: 'newest', at: [1, 0], by: ORIGIN, value: 'v' };
    const [before] = eu.copy.seal([{ key: 'k', write: 1, state }], ORIGIN) ?? [];
    const [second] = await eu.told({ keys: [listed(id, { over: true })], wanting: [] });
    expect(second?.id).toMatch(/^[0-9a-f]{32}$/);
    expect(second?.id).not.toBe(id);
    expect(eu.copy.seal([{ key: 'k', write: 2, state }], ORIGIN)).toBeUndefined();
    await eu.told({ keys: [listed(id, { over: true }), listed(second?.id ?? '')], wanting: [] });
    expect(eu.copy.seal([{ key: 'k', write: 2, state }], ORIGIN)?.[0]?.sealed?.key).toBe(second?.id);
    expect(eu.copy.open(before === undefined ? [] : [{ origin: ORIGIN, ...before }])).toHaveLength(1);
  });

  it('go by the rule of a hub that lost its newest', async () => {
    const eu = await nodeOf('eu', '00000000000000aa');
    const us = await nodeOf('us', '00000000000000cc');
    const here = (stay: string[], generation: number) =>
      eu.change({ ...RULE, generation, residency: { stay } });
    await here(['eu', 'us'], 4);
    expect(eu.copy.rule.residency).toEqual({ stay: ['eu', 'us'] });
    await here(['eu'], 3);
    const [offer] = await eu.told({ keys: [], wanting: [await us.self(['us'])] });
    expect(offer?.area).toBe('eu');
    expect(offer?.wraps.map(({ site }) => site)).toEqual(['eu']);
  });

  it('are given to no one who took the place of a site that was known', async () => {
    const eu = await nodeOf('eu', '00000000000000aa');
    const de = await nodeOf('de', '00000000000000bb');
    const [offer] = await eu.told({ keys: [], wanting: [await de.self()] });
    await eu.told({ keys: [listed(offer?.id ?? '')], wanting: [] });
    const thief = await nodeOf('thief', '00000000000000dd');
    const own = await thief.self();
    const key = signedKey(
      { site: 'de', store: own.store, publicKey: own.key.publicKey },
      NKey.create('user'),
    );
    const lies = [{ ...own, site: 'de', key, lacks: [offer?.id ?? ''] }];
    expect(await eu.told({ keys: [listed(offer?.id ?? '')], wanting: lies })).toEqual([]);
    expect(alarms).toEqual([expect.objectContaining({ alarm: 'site-nkey-changed', site: 'de' })]);
  });

  it('lie in files that nobody else reads, are there after a restart, and are offered to a hub that lost them', async () => {
    const nkey = NKey.create('user');
    const eu = await nodeOf('eu', '00000000000000aa', nkey);
    const [offer] = await eu.told({ keys: [], wanting: [] });
    const id = offer?.id ?? '';
    await eu.told({ keys: [listed(id)], wanting: [] });
    for (const file of ['sealing.json', 'shop.cart.keys'])
      expect((await stat(join(eu.folder, file))).mode & 0o077).toBe(0);
    expect(await readFile(join(eu.folder, 'sealing.json'), 'utf8')).toContain('privateKey');
    const again = await nodeOf('eu', '00000000000000aa', nkey);
    const offers = await again.told({ keys: [], wanting: [] });
    expect(offers.map((o) => [o.id === id, o.again])).toContainEqual([true, true]);
  });

  it('what comes in clear is left out, and said', async () => {
    const eu = await nodeOf('eu', '00000000000000aa');
    const state: RecordState = { rule: 'newest', at: [1, 0], by: OTHER, value: 'forged' };
    expect(eu.copy.open([{ origin: OTHER, key: 'k', write: 1, state }])).toEqual([]);
    expect(alarms).toEqual([expect.objectContaining({ alarm: 'record-forged', reason: 'in clear' })]);
  });
});

function fail(): never {
  throw new Error('none');
}
