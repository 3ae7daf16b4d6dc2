import { beginLiveness, tickLiveness, type Liveness, type LivePhase } from './liveness.js';
import { LIVENESS_TIMINGS } from './timings.js';

/** Drives failure detection over time: sites that beat every 500 ms, looked at every 250 ms. */
class Watch {
  now = 0;
  connected = true;
  readonly heard = new Map<string, number>();
  readonly alarms: string[] = [];
  readonly log: string[] = [];
  readonly holds: string[] = [];
  readonly replicas = new Map<string, number>();
  state: Liveness;

  constructor(
    readonly sites: string[],
    phase: LivePhase = 'ready',
  ) {
    this.state = beginLiveness(0, new Map(sites.map((s) => [s, phase])));
  }

  run(ms: number, beating: readonly string[] = this.sites): this {
    const until = this.now + ms;
    while (this.now < until) {
      this.now += 250;
      if (this.connected && this.now % 500 === 0) for (const s of beating) this.heard.set(s, this.now);
      this.tick();
    }
    return this;
  }

  tick(): void {
    const { now, connected, sites, heard, replicas } = this;
    const result = tickLiveness(this.state, { now, connected, sites, heard, replicas });
    this.state = result.state;
    for (const c of result.changes) this.log.push(`${c.site}:${c.to}@${now}`);
    for (const h of result.holds) this.holds.push(`${h.site}:${h.by ?? 'free'}@${now}`);
    if (result.alarm !== undefined) this.alarms.push(result.alarm);
  }

  phase(site: string): LivePhase | undefined {
    return this.state.sites.get(site)?.phase;
  }
}

const FOUR = ['a', 'b', 'c', 'd'];
const without = (...gone: string[]) => FOUR.filter((s) => !gone.includes(s));

describe('failure detection', () => {
  it('makes a silent site suspect after 2 s and lost after 5 s', () => {
    const w = new Watch(FOUR).run(1_000);
    w.run(6_000, without('a'));
    expect(w.log).toEqual(['a:suspect@3000', 'a:lost@6000']);
  });

  it('makes a lost site ready again as soon as it is heard', () => {
    const w = new Watch(FOUR).run(1_000).run(6_000, without('a')).run(500);
    expect(w.phase('a')).toBe('ready');
  });

  it('waits for a site that was never heard instead of calling it lost', () => {
    const w = new Watch(FOUR, 'pending').run(20_000, without('a'));
    expect(w.phase('a')).toBe('pending');
    expect(w.phase('b')).toBe('ready');
  });

  it('pulls the brake when more than half of the sites vanish at once, and alarms once', () => {
    const w = new Watch(FOUR).run(1_000).run(60_000, ['d']);
    expect(w.log.filter((l) => l.includes('lost'))).toEqual([]);
    expect(w.alarms).toHaveLength(1);
    expect(w.alarms[0]).toContain('3 sites fell silent at once (a, b, c)');
  });

  it('counts losses of the last seconds as vanished at once', () => {
    const w = new Watch(FOUR).run(1_000);
    w.run(2_000, without('a')).run(2_500, without('a', 'b')).run(5_000, ['d']);
    expect(w.phase('c')).not.toBe('lost');
    expect(w.alarms).toHaveLength(1);
  });

  it('moves half of the sites when exactly half vanish', () => {
    const w = new Watch(FOUR).run(1_000).run(6_000, ['c', 'd']);
    expect([w.phase('a'), w.phase('b'), w.phase('c')]).toEqual(['lost', 'lost', 'ready']);
  });

  it('starts the silence anew when the brake is let go', () => {
    const w = new Watch(FOUR).run(1_000).run(30_000, ['d']);
    w.run(1_000, ['b', 'c', 'd']);
    expect(w.phase('a')).not.toBe('lost');
    w.run(LIVENESS_TIMINGS.lostAfterMs, ['b', 'c', 'd']);
    expect(w.phase('a')).toBe('lost');
  });

  it('holds no silence of its own cut against a site', () => {
    const w = new Watch(FOUR).run(1_000);
    w.connected = false;
    w.run(60_000, []);
    w.connected = true;
    w.run(4_500, []).run(2_000);
    expect(w.log).toEqual([]);
    expect(w.alarms).toEqual([]);
  });

  it('holds no stop of its own process against a site', () => {
    const w = new Watch(FOUR).run(1_000);
    w.now += 60_000;
    w.tick();
    w.run(1_000, []).run(2_000);
    expect(w.log).toEqual([]);
  });

  it('judges the only site of a cloud by its own connection', () => {
    const w = new Watch(['a']).run(1_000).run(6_000, []);
    expect(w.phase('a')).toBe('lost');
    expect(w.alarms).toEqual([]);
  });

  it('gives every site a new period of grace when it takes over', () => {
    const w = new Watch(FOUR);
    w.run(1_750, without('a'));
    expect(w.log).toEqual([]);
    w.run(250, without('a'));
    expect(w.phase('a')).toBe('suspect');
  });

  it('holds a site down that left ready three times within a minute, until it was heard for 10 s', () => {
    const w = new Watch(FOUR).run(1_000);
    for (let i = 0; i < 3; i += 1) w.run(3_000, without('a')).run(1_000);
    expect(w.phase('a')).toBe('suspect');
    w.run(8_500);
    expect(w.phase('a')).toBe('suspect');
    w.run(1_500);
    expect(w.phase('a')).toBe('ready');
  });

  it('holds a site down for longer with each time it is lost again, at most 5 min', () => {
    const w = new Watch(FOUR).run(1_000);
    const downFor = () => {
      w.run(6_000, without('a'));
      expect(w.phase('a')).toBe('lost');
      const from = w.now;
      while (w.phase('a') !== 'ready') w.run(500);
      return w.now - from;
    };
    const times = [downFor(), downFor(), downFor(), downFor(), downFor(), downFor()];
    expect(times.map((ms) => Math.round(ms / 10_000))).toEqual([0, 1, 2, 4, 8, 16]);
    expect(w.holds.slice(0, 2).map((h) => h.split('@')[0])).toEqual(['a:flapping', 'a:free']);
  });

  it('says which sites the brake holds, until it is let go', () => {
    const w = new Watch(FOUR).run(1_000).run(3_000, ['d']);
    expect(w.holds).toEqual(['a:brake@3000', 'b:brake@3000', 'c:brake@3000']);
    w.run(500);
    expect(w.holds.slice(3).map((h) => h.split('@')[0])).toEqual(['a:free', 'b:free', 'c:free']);
  });

  it('loses the next site only when as many replicas as may be moved a minute have not been', () => {
    const sites = Array.from({ length: 10 }, (_, i) => `s${i}`);
    const w = new Watch(sites);
    for (const s of sites) w.replicas.set(s, 50);
    const gone = ['s0', 's1', 's2', 's3'];
    w.run(1_000).run(
      6_000,
      sites.filter((s) => !gone.includes(s)),
    );
    // A quarter of 500 in a minute: three sites, the last of which goes beyond.
    expect(gone.map((s) => w.phase(s))).toEqual(['lost', 'lost', 'lost', 'suspect']);
    expect(w.holds).toEqual(['s3:moves@6000']);
    w.run(
      20_000,
      sites.filter((s) => !gone.includes(s)),
    );
    expect(w.phase('s3')).toBe('lost');
    expect(w.holds).toHaveLength(2);
  });

  it('never holds the first site back, however much it has, nor one that has nothing', () => {
    const w = new Watch(FOUR);
    w.replicas.set('a', 5_000);
    w.run(1_000).run(6_000, without('a', 'b'));
    expect([w.phase('a'), w.phase('b')]).toEqual(['lost', 'lost']);
  });

  it('forgets a site that is no member any more', () => {
    const w = new Watch([...FOUR]).run(1_000);
    w.sites.splice(0, 1);
    w.run(10_000);
    expect(w.phase('a')).toBeUndefined();
    expect(w.alarms).toEqual([]);
  });
});
