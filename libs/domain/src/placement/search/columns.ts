import { GainSelection } from '../demand/gain-selection.js';
import { LimitedGain } from './limited-gain.js';

/** Columns that nobody uses at the moment: a search leaves its own to the next one, so that none become garbage. */
const spare: Columns[] = [];
const SPARE_MAX = 2;
/** Candidates times user locations of which columns are kept: larger ones are not worth their memory. 4 MiB. */
const KEPT_PAIRS_MAX = 512 * 1_024;

/** What one search works with, by candidate and by user location. They may be longer than they have to be, and hold anything. */
export class Columns {
  /** By candidate and user location: what serving them costs. */
  costs = new Float64Array(0);
  /** By candidate. */
  least = new Float64Array(0);
  price = new Float64Array(0);
  shadow = new Float64Array(0);
  saved = new Float64Array(0);
  worth = new Float64Array(0);
  portions = new Int32Array(0);
  fresh = new Uint8Array(0);
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

  /** Columns for so many candidates, user locations and pieces of their demand, until they are given back. */
  static lend(size: number, users: number, pieces: number): Columns {
    const columns = spare.pop() ?? new Columns();
    if (size * users > columns.costs.length) columns.costs = new Float64Array(2 * size * users);
    if (size > columns.least.length) columns.#forCandidates(2 * size);
    if (users > columns.first.length) columns.#forUsers(2 * users);
    if (pieces > columns.point.length) columns.#forPieces(2 * pieces);
    return columns;
  }

  giveBack(): void {
    if (spare.length < SPARE_MAX && this.costs.length <= KEPT_PAIRS_MAX) spare.push(this);
  }

  #forCandidates(most: number): void {
    this.least = new Float64Array(most);
    this.price = new Float64Array(most);
    this.shadow = new Float64Array(most);
    this.saved = new Float64Array(most);
    this.worth = new Float64Array(most);
    this.portions = new Int32Array(most);
    this.fresh = new Uint8Array(most);
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
