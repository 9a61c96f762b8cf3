import { Type } from 'typebox'
import { ResourceReference } from './references.ts'
import type { RouteContract } from './route-contract.ts'
import { object } from './schema.ts'

/** Websockets of the local proxy: the bytes of one client each, already signed in. */
export const connectRoutes = {
  'GET /api/v1/connect/shell': {
    summary:
      'A terminal or one command on an instance: binary messages are bytes, text messages JSON: command, resize and ack from the client; stream, notice, end, exit and error to it',
    access: 'user',
    scope: 'connect',
    hidden: true,
    query: object({
      resource: ResourceReference,
      level: Type.Optional(Type.String({ maxLength: 64 })),
      cols: Type.Integer({ minimum: 1, maximum: 65_535, default: 80 }),
      rows: Type.Integer({ minimum: 1, maximum: 65_535, default: 24 }),
      command: Type.Optional(
        Type.String({
          maxLength: 1,
          description: '1: the first message is {"command"}, which is run without a terminal',
        }),
      ),
      tool: Type.Optional(
        Type.String({ maxLength: 128, description: 'Name of the connecting tool, for the audit log' }),
      ),
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
      level: Type.Optional(Type.String({ maxLength: 64 })),
      tool: Type.Optional(
        Type.String({ maxLength: 128, description: 'Name of the connecting tool, for the audit log' }),
      ),
      no_password: Type.Optional(Type.String({ maxLength: 1, description: '1: the local port requires no password' })),
    }),
    answer: { 101: 'websocket' },
  },
} as const satisfies Record<string, RouteContract>
