import { type Static, Type } from 'typebox'

/** What is discovered of an instance; none of it may be written by hand. */
export const discoveredMembers = {
  title: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
  os: Type.Optional(Type.String()),
  agent: Type.Optional(Type.String()),
  agent_version: Type.Optional(Type.String()),
  address: Type.Optional(Type.String()),
  vpc: Type.Optional(Type.String()),
  profile: Type.Optional(Type.String()),
} as const

const discovered = Type.Object(discoveredMembers)
export type DiscoveredMembers = Static<typeof discovered>

/** What AWS says of an instance; each member null where it is not known. */
export interface InstanceFacts {
  /** Its tag `Name`: others may have the same, and it gives nothing. */
  readonly title: string | null
  /** `running`, `stopped` … */
  readonly state: string | null
  /** `linux`, `windows` or `macos` */
  readonly os: string | null
  /** Whether its agent is connected: `online`, `lost`, or `none` where Systems Manager does not list it. */
  readonly agent: string | null
  readonly agentVersion: string | null
}

export function toFacts({ title, state, os, agent, agent_version }: DiscoveredMembers): InstanceFacts {
  return {
    title: title ?? null,
    state: state ?? null,
    os: os ?? null,
    agent: agent ?? null,
    agentVersion: agent_version ?? null,
  }
}

/** Why no session of it can be opened; null: nothing is known against it. */
export function unsupported({ os }: Pick<InstanceFacts, 'os'> = { os: null }): string | null {
  return os === null || os === 'linux' ? null : `sessions on ${os} are not supported yet`
}

/** What lists show of it. */
export function shownFacts({ title, state, agent, agentVersion }: InstanceFacts): Record<string, string> {
  const version = agentVersion === null ? '' : ` ${agentVersion}`
  return {
    ...(title === null ? {} : { title }),
    ...(state === null ? {} : { state }),
    ...(agent === null ? {} : { agent: `${agent}${version}` }),
  }
}
