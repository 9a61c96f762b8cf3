import { type Kinds, kindOf } from '../catalog/kind.ts'
import { isWildcard } from './addresses.ts'
import type { Config, HostPort } from './config.ts'
import type { Finding } from './finding.ts'
import type { ListenerFile } from './schema/listeners.ts'
import type { ConfigFile } from './schema.ts'

/** Every port of the file, with its protocol and its place. */
function portsOf({ listeners }: ConfigFile): { port: ListenerFile; protocol: string; path: string }[] {
  return Object.entries(listeners ?? {}).flatMap(([protocol, ports]) =>
    (ports ?? []).map((port, i) => ({ port, protocol, path: `listeners.${protocol}[${i}]` })),
  )
}

export function listenerTls(file: ConfigFile): Finding[] {
  return portsOf(file).flatMap(({ port, path }) =>
    port.tls || file.server.tls
      ? []
      : [
          {
            path,
            message: 'a protocol port needs a certificate: connect tokens are sent only inside TLS',
            fix: 'set tls here, or server.tls',
          },
        ],
  )
}

export function portCollisions({ server, listeners }: Config): Finding[] {
  const ports: { path: string; listen: HostPort }[] = [
    { path: 'server.listen', listen: server.listen },
    { path: 'server.metrics_listen', listen: server.metricsListen },
    ...Object.entries(listeners).flatMap(([protocol, found]) =>
      found.map(({ listen }, i) => ({ path: `listeners.${protocol}[${i}].listen`, listen })),
    ),
  ]
  return ports.flatMap(({ path, listen }, i) => {
    const other = ports.slice(0, i).find((earlier) => collide(earlier.listen, listen))
    if (!other) return []
    return [{ path, message: `port ${listen.port} is already taken by ${other.path}`, fix: 'choose another port' }]
  })
}

/** Port 0 means any free port. */
function collide(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.port === 0) return false
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host)
}

/** Ids of the resources that a port's `resource` names, by its id or by its last part, and of those what the protocol reaches. */
function namedBy(resource: string, protocol: string, { resources = [] }: Pick<ConfigFile, 'resources'>, kinds: Kinds) {
  const named = resources.map(({ id }) => id).filter((id) => id === resource || id.split('/').at(-1) === resource)
  return { named, reached: named.filter((id) => kindOf(kinds, id)?.protocol === protocol) }
}

/** The id of the resource that a port is pinned to; what names none or several is refused by {@link pinnedResources}. */
export function pinnedTo(
  resource: string,
  protocol: string,
  file: Pick<ConfigFile, 'resources'>,
  kinds: Kinds,
): string {
  const { reached } = namedBy(resource, protocol, file, kinds)
  const [only] = reached
  return reached.length === 1 && only !== undefined ? only : resource
}

/** A pinned port must name one resource that its protocol can reach. */
export function pinnedResources(file: ConfigFile, kinds: Kinds): Finding[] {
  return portsOf(file).flatMap(({ port: { resource }, protocol, path }) => {
    if (resource === undefined) return []
    const { named, reached } = namedBy(resource, protocol, file, kinds)
    if (reached.length === 1 || reached.includes(resource)) return []
    const message =
      reached.length > 1
        ? `"${resource}" matches several resources`
        : named.length > 0
          ? `${named[0]} cannot be reached by ${protocol}`
          : `there is no resource "${resource}"`
    return [{ path: `${path}.resource`, message, fix: 'write the full id of a resource under resources' }]
  })
}
