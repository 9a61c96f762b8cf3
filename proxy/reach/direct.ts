import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { checkPermit } from '../permit.ts'
import { BrokerError, type EndNotice } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { toTargetError } from '../streams/dial-errors.ts'
import { isForbidden } from './forbidden-addresses.ts'
import type { Reach } from './reach.ts'

type Find = (host: string) => Promise<{ readonly address: string }>

/** Directly, over the broker's own network. */
export const direct = directBy(lookup)

/** @param find asked for each connection, since Aurora's names move */
export function directBy(find: Find): Reach {
  return {
    open: async (permit, signal) => {
      checkPermit(permit)
      if (permit.signal.aborted) throw new BrokerError('INTERNAL', (permit.signal.reason as EndNotice).text)
      if (!permit.engine) throw new BrokerError('INTERNAL', `sessions of ${permit.kind} reach no address`)
      const { host, port } = permit.engine.address
      const resolved = await unlessAborted(signal, resolve(host, find)).catch((error: unknown) => {
        throw toTargetError(error)
      })
      const stream = await open(resolved, port, signal)
      const address = stream.remoteAddress ?? resolved
      return {
        stream,
        address: { host: address, port },
        again: (later) => open(address, port, later),
        reset: () => void stream.resetAndDestroy(),
      }
    },
  }
}

async function open(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
  socket.on('error', () => {}) // the waiting code has a listener of its own; a late error must not go unhandled
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw toTargetError(error)
  }
}

/** Checked, since other people control the names. */
async function resolve(host: string, find: Find): Promise<string> {
  let address: string
  try {
    address = (await find(host)).address
  } catch (cause) {
    throw new BrokerError('TARGET_UNREACHABLE', 'its host name does not resolve', { cause })
  }
  if (isForbidden(address))
    throw new BrokerError('TARGET_UNREACHABLE', 'its host name resolves to a link-local address')
  return address
}
