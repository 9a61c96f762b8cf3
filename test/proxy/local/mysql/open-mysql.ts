import type { Test } from 'tap'
import type { ListenAt, LocalPort } from '../../../../proxy/local/local-port.ts'
import type { ClientOptions } from '../../../../proxy/local/local-protocol.ts'
import { localMysql } from '../../../../proxy/local/mysql/local-mysql.ts'
import { type Opened, openPort, type Ran, run } from '../open-port.ts'

export const orders = 'rds-mysql/111122223333/eu-west-1/orders'

/** A local port of MySQL in front of a broker that is played. */
export function openMysql(t: Test, options: Partial<ClientOptions> = {}, at: ListenAt = { port: 0 }): Promise<Opened> {
  return openPort(t, localMysql, orders, { options, at })
}

/** The client of MariaDB, without files of the person's own; the password is in the environment. */
export function mariadb({ host, port }: LocalPort, password: string | undefined, ...args: string[]): Promise<Ran> {
  const where = [`--host=${host}`, `--port=${port}`, '--user=sallyport', '--batch', '--skip-column-names']
  return run('mariadb', ['--no-defaults', ...where, ...args], password === undefined ? {} : { MYSQL_PWD: password })
}
