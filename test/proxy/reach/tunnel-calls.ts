import type { TunnelAsk } from '../../../proxy/doorman.ts'
import type { TunnelCalls } from '../../../proxy/reach/tunnel.ts'
import type { ViaInstances } from '../../../proxy/session.ts'
import type { ChannelOptions } from '../../../proxy/ssm/channel.ts'

export const via: ViaInstances = {
  key: 'hub',
  instances: ['i-1', 'i-2'],
  place: { partition: 'aws', account: '111122223333', region: 'eu-west-1' },
  document: 'Sallyport-PortDatabase',
}

/** The doorman's calls about tunnels, by what opens the websockets of each; and the ids of those that it was told to end. */
export function tunnelCalls(ticketsFor: (ask: TunnelAsk) => ChannelOptions['ticket']) {
  const tickets = new Map<string, ChannelOptions['ticket']>()
  const ended: string[] = []
  const { signal } = new AbortController()
  const calls: TunnelCalls = {
    openTunnel: async (ask) => {
      const next = ticketsFor(ask)
      const ticket = await next(signal)
      if (!ticket) throw new Error('a new session is over already')
      const tunnelId = `sp-${tickets.size + 1}`
      tickets.set(tunnelId, next)
      return { tunnelId, ticket }
    },
    tunnelTicket: async (tunnelId) => (await tickets.get(tunnelId)?.(signal)) ?? null,
    endTunnel: async (tunnelId) => void ended.push(tunnelId),
  }
  return { calls, ended }
}
