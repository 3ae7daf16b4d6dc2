/** Version of the agent, as it is reported. */
export const AGENT_VERSION = '0.1.0';
