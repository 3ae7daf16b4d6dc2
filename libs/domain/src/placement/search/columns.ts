import { GainSelection } from '../demand/gain-selection.js';
import { LimitedGain } from './limited-gain.js';
import { Opening } from './opening.js';
import { Promising } from './promising.js';

/** Columns that nobody uses at the moment: a search leaves its own to the next one, so that none become garbage. */
const spare: Columns[] = [];
const SPARE_MAX = 2;
/** Candidates times user locations of which columns are kept: larger ones are not worth their memory. 4 MiB. */
const KEPT_PAIRS_MAX = 512 * 1_024;
/** Replicas of which it is kept what they cost at a candidate. */
const KEPT_REPLICAS_MAX = 256;

/** What one search works with, by candidate and by user location. They may be longer than they have to be, and hold anything. */
export class Columns {
  /** By candidate and user location: what serving them costs. */
  costs = new Float64Array(0);
  /** By candidate. */
  least = new Float64Array(0);
  price = new Float64Array(0);
  shadow = new Float64Array(0);
  opening = new Opening(0);
  /** By open candidate: its row of `costs` and what it carries. */
  readonly openRows: Float64Array[] = [];
  capacities = new Float64Array(0);
  worth = new Float64Array(0);
  portions = new Int32Array(0);
  before = new Int32Array(0);
  fresh = new Uint8Array(0);
  known = new Int32Array(0);
  /** What 0, 1, 2, … replicas cost: of as many as `known` says, beyond that anything. */
  sums: number[][] = [];
  /** By user location. */
  first = new Int32Array(0);
  cost1 = new Float64Array(0);
  cost2 = new Float64Array(0);
  /** By piece of the demand. */
  point = new Int32Array(0);
  amount = new Float64Array(0);
  cost = new Float64Array(0);
  gains = new GainSelection(0);
  limited = new LimitedGain(0);
  readonly moves = new Promising();

  /** Columns for so many candidates, user locations and pieces of their demand, until they are given back. */
  static lend(size: number, users: number, pieces: number): Columns {
    const columns = spare.pop() ?? new Columns();
    if (size * users > columns.costs.length) columns.#forPairs(2 * size * users);
    if (size > columns.least.length) columns.#forCandidates(2 * size);
    if (users > columns.first.length) columns.#forUsers(2 * users);
    if (pieces > columns.point.length) columns.#forPieces(2 * pieces);
    return columns;
  }

  /** `costs` by candidate, of so many user locations each: at least as many as there are candidates. */
  rowsOf(size: number, users: number): readonly Float64Array[] {
    if (this.#rowLength !== users) this.#rows = [];
    this.#rowLength = users;
    for (let i = this.#rows.length; i < size; i += 1) {
      this.#rows.push(this.costs.subarray(i * users, (i + 1) * users));
    }
    return this.#rows;
  }
  #rows: Float64Array[] = [];
  #rowLength = 0;

  giveBack(): void {
    if (this.sums.some((sums) => sums.length > KEPT_REPLICAS_MAX)) this.sums = [];
    if (spare.length < SPARE_MAX && this.costs.length <= KEPT_PAIRS_MAX) spare.push(this);
  }

  #forPairs(most: number): void {
    this.costs = new Float64Array(most);
    this.#rows = [];
  }

  #forCandidates(most: number): void {
    this.least = new Float64Array(most);
    this.price = new Float64Array(most);
    this.shadow = new Float64Array(most);
    this.opening = new Opening(most);
    this.capacities = new Float64Array(most);
    this.worth = new Float64Array(most);
    this.portions = new Int32Array(most);
    this.before = new Int32Array(most);
    this.fresh = new Uint8Array(most);
    this.known = new Int32Array(most);
  }

  #forUsers(most: number): void {
    this.first = new Int32Array(most);
    this.cost1 = new Float64Array(most);
    this.cost2 = new Float64Array(most);
  }

  #forPieces(most: number): void {
    this.point = new Int32Array(most);
    this.amount = new Float64Array(most);
    this.cost = new Float64Array(most);
    this.gains = new GainSelection(most);
    this.limited = new LimitedGain(most);
  }
}
