import { type Static, Type } from 'typebox'

/** What is discovered of a cluster, beside its endpoint; none of it may be written by hand. */
export const discoveredMembers = {
  status: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  authentication_mode: Type.Optional(Type.String()),
  reached_from: Type.Optional(Type.String()),
} as const

const discovered = Type.Object(discoveredMembers)
export type DiscoveredMembers = Static<typeof discovered>

/** What lists show of it. */
export function shownFacts({ status, version, reached_from: from }: DiscoveredMembers = {}): Record<string, string> {
  return {
    ...(status === undefined ? {} : { state: status }),
    ...(version === undefined ? {} : { version }),
    ...(from === undefined ? {} : { reached_from: from }),
  }
}
