import { Type } from 'typebox'
import { ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { count, idOf, list, nullable, object, type Shape, text } from './schema.ts'

const level = Type.Optional(Type.String({ maxLength: 64 }))
const tool = Type.Optional(
  Type.String({ maxLength: 128, description: 'Name of the connecting tool, for the audit log' }),
)

const ConnectOptions = object(
  {
    grantId: text(),
    resourceId: text(),
    name: text('As commands name the resource: its last part where that is unique'),
    protocol: nullable(text('Which clients can connect; null: none through a port')),
    server: text('The broker’s own URL'),
    host: nullable(text('The broker’s own port for this resource; null: it has none')),
    port: nullable(count()),
    database: nullable(text('For clients that name none')),
    ca: nullable(text('PEM of the authority that clients need to trust for that port; null: a public one')),
    login: text('The command that signs a machine in, once'),
    commands: list(
      object({ title: text('What it opens, e.g. `psql`'), command: text('Quoted for a shell') }),
      'For a machine that has the command line, the usual one first',
    ),
  },
  'How to connect by one of the caller’s live grants',
)
export type ConnectOptions = Shape<typeof ConnectOptions>

/** Websockets of the local proxy: the bytes of one client each, already signed in. */
export const connectRoutes = {
  'GET /api/v1/connect/options': {
    summary: 'How to connect by one of the caller’s live grants: commands, ports, settings; no secret',
    access: 'user',
    scope: 'connect',
    query: object({ grant: idOf('grt') }),
    answer: { 200: ConnectOptions },
  },
  'GET /api/v1/connect/shell': {
    summary:
      'A terminal or one command on an instance: binary messages are bytes, text messages JSON: command, resume, resize, ack and ping from the client; stream, notice, resume, resumed, pong, end, exit and error to it',
    access: 'user',
    scope: 'connect',
    hidden: true,
    query: object({
      resource: ResourceReference,
      level,
      cols: Type.Integer({ minimum: 1, maximum: 65_535, default: 80 }),
      rows: Type.Integer({ minimum: 1, maximum: 65_535, default: 24 }),
      command: Type.Optional(
        Type.String({
          maxLength: 1,
          description: '1: the first message is {"command"}, which is run without a terminal',
        }),
      ),
      resumable: Type.Optional(
        Type.String({
          maxLength: 1,
          description:
            '1: a terminal whose websocket is lost waits for another one, by the key that the broker tells: {"resume":{"key","forMs"}}',
        }),
      ),
      resumed: Type.Optional(
        Type.String({
          maxLength: 1,
          description:
            '1: the first message is {"resume":{"key","received"}}, and a terminal goes on behind the bytes that were received',
        }),
      ),
      tool,
    }),
    answer: { 101: 'websocket' },
  },
  'GET /api/v1/connect/copy': {
    summary:
      'Files to or from an instance: text messages are JSON, first copy from the client with path, recursive and name; then folder, file and end, binary messages are the bytes of the file that was announced, and ack counts those that were taken; done, failed, skipped, notice and error to the client',
    access: 'user',
    scope: 'connect',
    hidden: true,
    query: object({
      resource: ResourceReference,
      level,
      direction: Type.Union([Type.Literal('up'), Type.Literal('down')], {
        description: 'up: to the instance; down: from it',
      }),
      tool,
    }),
    answer: { 101: 'websocket' },
  },
  'GET /api/v1/connect/ssh': {
    summary:
      'A stream of bytes to the SSH server of an instance, for a key that is put in for this session; ready has its host keys',
    access: 'user',
    scope: 'connect',
    hidden: true,
    query: object({
      resource: ResourceReference,
      level,
      key: Type.String({
        pattern: '^AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}$',
        description: 'Public key of type ssh-ed25519, in base64',
      }),
      tool,
    }),
    answer: { 101: 'websocket' },
  },
  'GET /api/v1/connect/tcp': {
    summary:
      'A stream of bytes through an instance to a port that it reaches: binary messages are the bytes, text messages to the client JSON: ready, notice and error',
    access: 'user',
    scope: 'connect',
    hidden: true,
    query: object({
      resource: ResourceReference,
      level,
      host: Type.String({
        maxLength: 253,
        description: 'As the instance reaches it; an IPv6 address without brackets',
      }),
      port: Type.Integer({ minimum: 1, maximum: 65_535 }),
      tool,
    }),
    answer: { 101: 'websocket' },
  },
  'GET /api/v1/connect/:protocol': {
    summary: 'The byte stream of one client of a wire protocol',
    access: 'user',
    scope: 'connect',
    hidden: true,
    params: object({ protocol: Type.String({ maxLength: 32, description: 'Of the resource, e.g. postgres' }) }),
    query: object({
      resource: ResourceReference,
      level,
      tool,
      no_password: Type.Optional(Type.String({ maxLength: 1, description: '1: the local port requires no password' })),
    }),
    answer: { 101: 'websocket' },
  },
} as const satisfies Record<string, RouteContract>
