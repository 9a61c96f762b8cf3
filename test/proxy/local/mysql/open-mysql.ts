import { execFile } from 'node:child_process'
import type { Test } from 'tap'
import { makeLocalPassword } from '../../../../proxy/local/local-password.ts'
import { type ListenAt, type LocalPort, openLocalPort } from '../../../../proxy/local/local-port.ts'
import type { ClientOptions } from '../../../../proxy/local/local-protocol.ts'
import { localMysql } from '../../../../proxy/local/mysql/local-mysql.ts'
import type { BrokerEnd } from '../../../../proxy/local/relay.ts'
import type { BrokerError } from '../../../../proxy/session.ts'
import { type FakeBroker, startFakeBroker } from '../fake-broker.ts'

export const orders = 'rds-mysql/111122223333/eu-west-1/orders'

export interface Opened {
  readonly broker: FakeBroker
  readonly port: LocalPort
  readonly password: string
  readonly ends: BrokerEnd[]
  readonly refusals: BrokerError[]
}

/** A local port of MySQL in front of a broker that is played. */
export async function openMysql(
  t: Test,
  options: Partial<ClientOptions> = {},
  at: ListenAt = { port: 0 },
): Promise<Opened> {
  const broker = await startFakeBroker(t)
  const password = makeLocalPassword()
  const ends: BrokerEnd[] = []
  const refusals: BrokerError[] = []
  const port = await openLocalPort(at, localMysql, {
    server: broker.url,
    bearer: async () => 'bearer-of-alice',
    resourceId: orders,
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

/** The client of MariaDB, without files of the person's own; the password is in the environment. */
export function mariadb({ host, port }: LocalPort, password: string | undefined, ...args: string[]): Promise<Ran> {
  const where = [`--host=${host}`, `--port=${port}`, '--user=sallyport', '--batch', '--skip-column-names']
  return run('mariadb', ['--no-defaults', ...where, ...args], password === undefined ? {} : { MYSQL_PWD: password })
}
