import type { Protocol, ProtocolParts, StreamProtocol, TerminalProtocol } from './relay/protocol.ts'

/** Starts the engine of one protocol; what a daemon does not carry is never loaded. */
export type StartProtocol = (parts: ProtocolParts) => Promise<Protocol>

/** Every wire protocol, by the name that kinds and listeners give it. */
export const protocols: Readonly<Record<string, StartProtocol>> = {
  mysql: async (parts) => (await import('./mysql/protocol.ts')).createMysql(parts),
  postgres: async (parts) => (await import('./postgres/protocol.ts')).createPostgres(parts),
}

/** The same of terminals, which have no listeners. */
export const terminals: Readonly<Record<string, (parts: ProtocolParts) => Promise<TerminalProtocol>>> = {
  shell: async (parts) => (await import('./shell/protocol.ts')).createShell(parts),
}

/** Those of HTTP, at the broker's own address, which kinds carry themselves. */
export const requestProtocols: readonly string[] = ['kubernetes']

/** The same of streams and files at instances. */
export const streams: Readonly<Record<string, (parts: ProtocolParts) => Promise<StreamProtocol>>> = {
  copy: async (parts) => (await import('./copy/protocol.ts')).createCopy(parts),
  tcp: async (parts) => (await import('./tcp/protocol.ts')).createTcp(parts),
}
