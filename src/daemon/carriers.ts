import { protocols, requestProtocols, streams, terminals } from '../../proxy/protocols.ts'
import { reachTargets } from '../../proxy/reach/reach-targets.ts'
import { Trust } from '../../proxy/reach/trust.ts'
import type { Protocol, StreamProtocol, TerminalProtocol } from '../../proxy/relay/protocol.ts'
import { type HostParts, SessionHost } from '../../proxy/relay/session-host.ts'
import { BrokerError, type ClientOrigin, type ErrorCode } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import { clientOrigins } from '../http/client-origin.ts'
import type { Carrier, KindModules } from '../kinds/module.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'

/** The carrying side: the engines of the protocols, and what kinds carry themselves. */
export interface Carriers {
  readonly protocols: readonly Protocol[]
  readonly terminals: readonly TerminalProtocol[]
  readonly streams: readonly StreamProtocol[]
  readonly own: readonly Carrier[]
}

/** Of a process that carries nothing itself. */
export const carriedElsewhere: Carriers = { protocols: [], terminals: [], streams: [], own: [] }

export interface CarriersDeps extends Pick<HostParts, 'doormanFor' | 'recorders'> {
  readonly config: { readonly server: Pick<Config['server'], 'trustedProxies'> }
  readonly clock: Clock
  readonly kindModules: KindModules
  readonly protocolNames: readonly string[]
  readonly logger: Logger
}

export async function startCarriers(deps: CarriersDeps): Promise<Carriers & { readonly host: SessionHost }> {
  const { clock, config, kindModules, protocolNames, logger, doormanFor, recorders } = deps
  const onError = (error: unknown, session: string) =>
    logger.error({ err: error, session }, 'a session could not be ended cleanly')
  const now = () => clock.now()
  const host = new SessionHost({ doormanFor, recorders, onError, now })
  const reach = reachTargets({ tunnels: host.doorman, onError })
  const parts = { host, reach, trust: new Trust(), onError, onRefused: onRefused(logger), now }
  const originOf = clientOrigins(config.server.trustedProxies)
  const started = {
    protocols: [] as Protocol[],
    terminals: [] as TerminalProtocol[],
    streams: [] as StreamProtocol[],
  }
  for (const name of protocolNames) {
    const [start, startTerminal, startStreams] = [protocols[name], terminals[name], streams[name]]
    if (start) started.protocols.push(await start(parts))
    else if (startTerminal) started.terminals.push(await startTerminal(parts))
    else if (startStreams) started.streams.push(await startStreams(parts))
    else if (!requestProtocols.includes(name)) throw new BrokerError('INTERNAL', `no engine for the protocol ${name}`)
  }
  const own: Carrier[] = []
  for (const kind of kindModules) if (kind.carry) own.push(await kind.carry({ ...parts, originOf }))
  return { host, ...started, own }
}

/** A client that fails before it is identified is logged at debug level only, so that it cannot fill the log. */
function onRefused(logger: Logger) {
  const ours: readonly ErrorCode[] = ['INTERNAL', 'STORE_UNAVAILABLE', 'AUDIT_UNAVAILABLE', 'CLOCK_WRONG']
  return (error: BrokerError, client: ClientOrigin) => {
    const level = ours.includes(error.code) ? 'error' : 'debug'
    logger[level]({ err: error, code: error.code, address: client.address }, 'a client was refused')
  }
}
