import { randomBytes } from 'node:crypto'
import { type Postgres, startPostgres } from './postgres.ts'

/** A PostgreSQL of its own for stores, apart from the one that stands for the targets: as many empty databases as are asked for. */
export interface StoreDatabases {
  /** @returns `postgres://…` of a new, empty database, on loopback without TLS and password */
  create(): Promise<string>
  readonly server: Postgres
  close(): Promise<void>
}

export async function startStoreDatabases(): Promise<StoreDatabases> {
  const server = await startPostgres({ tcp: {}, settings: ['max_connections=300'] })
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
