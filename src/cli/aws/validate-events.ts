import { printable } from '../../../proxy/printable.ts'
import type { EventProbe } from '../../contract/inventory.ts'
import type { ApiClient } from '../api/api-client.ts'

/** Sends a probe through the queue of events. @returns null: none is read */
export async function probeEvents(api: ApiClient): Promise<EventProbe | null> {
  const { features } = await api.call('GET /api/v1/aws/installation')
  return features.includes('events') ? await api.call('POST /api/v1/inventory/events/probe') : null
}

export function printProbe({ queue, outcome, delayMs, detail, fix }: EventProbe): void {
  process.stdout.write(`events, queue ${printable(queue)}\n`)
  const after = delayMs === null ? '' : ` after ${(delayMs / 1000).toFixed(1)} s`
  process.stdout.write(`  ${outcome === 'ok' ? 'ok     ' : 'FAILED '} ${printable(detail)}${after}\n`)
  if (fix !== null) process.stdout.write(`          ${printable(fix)}\n`)
}
