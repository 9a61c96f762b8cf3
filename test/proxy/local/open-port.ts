import { execFile } from 'node:child_process'
import type { Test } from 'tap'
import { makeLocalPassword } from '../../../proxy/local/local-password.ts'
import { type ListenAt, type LocalPort, openLocalPort } from '../../../proxy/local/local-port.ts'
import type { ClientOptions, LocalProtocol } from '../../../proxy/local/local-protocol.ts'
import type { BrokerEnd } from '../../../proxy/local/relay.ts'
import type { BrokerError } from '../../../proxy/session.ts'
import { type FakeBroker, startFakeBroker } from './fake-broker.ts'

export interface Opened {
  readonly broker: FakeBroker
  readonly port: LocalPort
  readonly password: string
  readonly ends: BrokerEnd[]
  readonly refusals: BrokerError[]
}

export interface OpenOptions {
  readonly options?: Partial<ClientOptions>
  readonly at?: ListenAt
  /** One of its own by default. */
  readonly broker?: FakeBroker
}

/** A local port of the protocol in front of a broker that is played. */
export async function openPort(
  t: Test,
  protocol: LocalProtocol,
  resourceId: string,
  { options = {}, at = { port: 0 }, broker: given }: OpenOptions = {},
): Promise<Opened> {
  const broker = given ?? (await startFakeBroker(t))
  const password = makeLocalPassword()
  const ends: BrokerEnd[] = []
  const refusals: BrokerError[] = []
  const port = await openLocalPort(at, protocol, {
    server: broker.url,
    bearer: async () => 'bearer-of-alice',
    resourceId,
    level: 'readonly',
    openPort: false,
    password,
    onEnd: (end) => ends.push(end),
    onRefusal: (error) => refusals.push(error),
    ...options,
  })
  t.teardown(() => port.close())
  return { broker, port, password, ends, refusals }
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. @param env all that it has, but for the PATH */
export function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, args, { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr }),
    )
  })
}
