/** A place of the product, by a text that stands there exactly once, and what it becomes. */
export interface Edit {
  file: string;
  find: string;
  replace: string;
}

/** The product broken on purpose. */
export interface Mutation {
  name: string;
  says: string;
  /** The invariant that has to fail. */
  breaks: string;
  /** The seed to begin to look with. */
  from: number;
  edits: Edit[];
}

export const MUTATIONS: readonly Mutation[];
