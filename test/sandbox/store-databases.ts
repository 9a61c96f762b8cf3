import { randomBytes } from 'node:crypto'
import { type Postgres, startPostgres } from './postgres.ts'

/** A PostgreSQL of its own for stores, apart from the one that stands for the targets: as many empty databases as are asked for. */
export interface StoreDatabases {
  /** @returns `postgres://…` of a new, empty database, on loopback without TLS and password */
  create(): Promise<string>
  readonly server: Postgres
  close(): Promise<void>
}

/** What is committed is on disk, as in production. */
export const durable: readonly string[] = ['fsync=on', 'synchronous_commit=on', 'full_page_writes=on']

/** @param settings more `name=value` */
export async function startStoreDatabases(settings: readonly string[] = []): Promise<StoreDatabases> {
  const server = await startPostgres({ tcp: {}, settings: ['max_connections=300', ...settings] })
  return {
    server,
    create: async () => {
      const name = `store_${randomBytes(6).toString('hex')}`
      await server.query('postgres', `create database ${name}`)
      return `postgres://postgres@127.0.0.1:${server.tcpPort}/${name}?sslmode=disable`
    },
    close: () => server.close(),
  }
}
