import type { Config, ListenerConfig } from './config.ts'

/** The broker's own port for a resource, if its protocol has one: a port pinned to it, else one that takes every resource. */
export function listenerEndpoint(
  config: { readonly server: Pick<Config['server'], 'publicUrl'>; readonly listeners: Config['listeners'] },
  protocol: string | undefined,
  resourceId: string,
): { host: string; port: number } | null {
  const found = listenerFor(config.listeners, protocol, resourceId)
  // Certificates name the host by which people know the broker, not the address it binds.
  return found ? { host: new URL(config.server.publicUrl).hostname, port: found.listen.port } : null
}

/** That port as it is configured. */
export function listenerFor(
  listeners: Config['listeners'],
  protocol: string | undefined,
  resourceId: string,
): ListenerConfig | undefined {
  const ports = protocol === undefined ? [] : (listeners[protocol] ?? [])
  return ports.find(({ resource }) => resource === resourceId) ?? ports.find(({ resource }) => resource === null)
}
