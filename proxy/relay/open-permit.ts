import { performance } from 'node:perf_hooks'
import type { SessionPermit } from '../session.ts'
import type { KnownClient } from './protocol.ts'
import type { SessionHost } from './session-host.ts'

/** Asks for the session of a client that is known. @throws BrokerError what {@link SessionHost.open} throws */
export async function openPermit(
  host: SessionHost,
  protocol: string,
  { identity, resourceId, level, client, tool }: KnownClient,
): Promise<SessionPermit> {
  const since = performance.now()
  const permit = await host.open({
    identity,
    resourceId,
    client,
    carrier: { protocol },
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
  })
  host.doorman.phase(permit.kind, 'authorize', (performance.now() - since) / 1000)
  return permit
}
