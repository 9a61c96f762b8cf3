import { type Static, type TArray, type TOptional, Type } from 'typebox'
import { requestProtocols, terminals } from '../../../proxy/protocols.ts'
import type { Kinds } from '../../catalog/kind.ts'
import { Address, List, ProxyProtocol, strict, Tls } from './members.ts'

const Listener = Type.Object(
  {
    listen: Address('Address and port that clients connect to', '0.0.0.0:5432'),
    tls: Type.Optional(Tls),
    proxy_protocol: Type.Optional(ProxyProtocol),
    resource: Type.Optional(Type.String({ description: 'Pins the port to one resource', examples: ['orders'] })),
  },
  { ...strict, description: 'A protocol port' },
)

export type ListenerFile = Static<typeof Listener>

/** Each protocol that a kind speaks and that has ports of its own, once. */
export function protocolsOf(kinds: Kinds): string[] {
  const names = kinds.flatMap(({ protocol }) => protocol ?? [])
  return [...new Set(names.filter((name) => !(name in terminals) && !requestProtocols.includes(name)))]
}

/** A list of ports for each protocol. */
export function listenersSchema(kinds: Kinds) {
  const lists: Record<string, TOptional<TArray<typeof Listener>>> = {}
  for (const protocol of protocolsOf(kinds))
    lists[protocol] = Type.Optional(List(Listener, `Ports for clients that speak ${protocol}`))
  return Type.Object(lists, { ...strict, description: 'Protocol ports for stock clients' })
}
