import { BrokerError } from '../../session.ts'
import { type ChannelProtocol, channelProtocols } from '../../wire/kubernetes/channels.ts'
import { type ExecOptions, readForwardPorts } from '../../wire/kubernetes/stream-options.ts'
import type { UpgradeProtocol } from '../upgrade.ts'
import { ChannelForwardTap } from './channel-forward.ts'
import { SpdyExecTap } from './spdy-exec.ts'
import { SpdyForwardTap } from './spdy-forward.ts'
import type { ExecEvents, ExecTap, ForwardEvents, ForwardTap } from './tap.ts'
import { TunnelledForwardTap } from './tunnelled-forward.ts'
import { WebsocketExecTap } from './websocket-exec.ts'

/** @param protocol of the streams, which the server chose among those of {@link import('../upgrade.ts').streamProtocols} */
export function openExecTap(
  upgrade: UpgradeProtocol,
  protocol: string,
  { stdin, stdout, stderr, tty }: ExecOptions,
  events: ExecEvents,
): ExecTap {
  if (upgrade === 'websocket') return new WebsocketExecTap(events, channelsOf(protocol))
  const streams = [true, stdin, stdout, stderr && !tty, tty] // the first one is for the status
  return new SpdyExecTap(events, streams.filter((isAsked) => isAsked).length)
}

/** @param query of the request, which names ports in old forms only @throws WireError, and what `opened` throws */
export function openForwardTap(
  upgrade: UpgradeProtocol,
  protocol: string,
  query: string,
  events: ForwardEvents,
): ForwardTap {
  if (upgrade !== 'websocket') return new SpdyForwardTap(events)
  if (protocol.startsWith('SPDY/')) return new TunnelledForwardTap(events)
  return new ChannelForwardTap(events, channelsOf(protocol), readForwardPorts(query))
}

function channelsOf(protocol: string): ChannelProtocol {
  const channels = channelProtocols[protocol]
  if (!channels) throw new BrokerError('INTERNAL', `no tap for ${protocol}`)
  return channels
}
