/** What agents of some version understand: both ends must come to the same answer. */
export interface AgentFeatures {
  /** A flag ends the session. */
  readonly terminateFlag: boolean
  /** Port sessions carry many connections. */
  readonly mux: boolean
  /** Those must not send keepalives, which would defeat the service's idle timeout. */
  readonly noKeepalive: boolean
}

export function featuresOf(agentVersion: string): AgentFeatures {
  return {
    terminateFlag: isNewer(agentVersion, '2.3.722.0'),
    mux: isNewer(agentVersion, '3.0.196.0'),
    noKeepalive: isNewer(agentVersion, '3.1.1511.0'),
  }
}

/** Part by part, as numbers. False when one has more parts, or a part that decides is no number: the plugin's rule. */
function isNewer(version: string, than: string): boolean {
  const [parts, others] = [version.split('.'), than.split('.')]
  if (parts.length !== others.length) return false
  const at = parts.findIndex((part, at) => Number(part) !== Number(others[at]))
  return at >= 0 && /^\d+$/.test(parts[at] ?? '') && Number(parts[at]) > Number(others[at])
}
