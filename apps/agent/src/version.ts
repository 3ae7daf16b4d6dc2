import { VERSION } from '@skerry/contracts';

/** Version of the agent, as it is reported. */
export const AGENT_VERSION = VERSION;
