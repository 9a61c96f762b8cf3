import { performance } from 'node:perf_hooks'
import { BrokerError, type SessionPermit } from '../session.ts'
import type { KnownClient, ProtocolParts } from './protocol.ts'
import type { SessionHost } from './session-host.ts'
import { toBrokerError } from './words.ts'

/** The same for a client that is told by `refuse`. @returns undefined: it was refused. Never rejects */
export async function admit(
  { host, onError }: Pick<ProtocolParts, 'host' | 'onError'>,
  protocol: string,
  known: KnownClient,
  refuse: (error: BrokerError) => void,
): Promise<SessionPermit | undefined> {
  try {
    return await openPermit(host, protocol, known)
  } catch (error) {
    if (!(error instanceof BrokerError)) onError(error, '')
    refuse(toBrokerError(error))
    return undefined
  }
}

/** Asks for the session of a client that is known. @throws BrokerError what {@link SessionHost.open} throws */
export async function openPermit(
  host: SessionHost,
  protocol: string,
  { identity, resourceId, level, client, tool, to }: KnownClient,
): Promise<SessionPermit> {
  const since = performance.now()
  const permit = await host.open({
    identity,
    resourceId,
    client,
    carrier: { protocol },
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
    ...(to === undefined ? {} : { to }),
  })
  host.doorman.phase(permit.kind, 'authorize', (performance.now() - since) / 1000)
  return permit
}
