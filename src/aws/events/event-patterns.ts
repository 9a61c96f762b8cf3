import { eventGroups } from './event-table.ts'
import { callDetailTypes, otherEvents } from './read-event.ts'
import { probe } from './read-message.ts'

/** Patterns of rules of EventBridge; each has at most 4,096 characters. */
export const eventPatterns = {
  /** In each account and region. */
  calls: {
    'detail-type': [...callDetailTypes],
    source: unique(eventGroups.map(({ source }) => source)),
    detail: { errorCode: [{ exists: false }], eventName: unique(eventGroups.flatMap(({ names }) => names)) },
  },
  changes: {
    'detail-type': otherEvents.map(({ detailType }) => detailType),
    source: otherEvents.map(({ source }) => source),
  },
  /** On the bus that they are forwarded to. */
  bus: { source: [{ prefix: 'aws.' }, probe.source] },
} as const

function unique(all: readonly string[]): string[] {
  return [...new Set(all)].sort()
}
