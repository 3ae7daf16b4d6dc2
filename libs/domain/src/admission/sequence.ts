/** What a noun remembers of the command that changed it last. */
interface Sequenced {
  requestId?: string | undefined;
  commandSequence: number;
}

/** Whether this very command made the noun what it is: it was delivered again. */
export function applied(noun: Sequenced | undefined, requestId: string): boolean {
  return noun?.requestId === requestId;
}

/** Whether a newer command was applied already: commands for different nouns are handled at once, and a retry comes late. */
export function superseded(noun: Sequenced | undefined, sequence: number): boolean {
  return noun !== undefined && sequence <= noun.commandSequence;
}
