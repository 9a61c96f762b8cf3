import type { WebSocket } from '@fastify/websocket'
import type {
  FastifyContextConfig,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteShorthandOptions,
} from 'fastify'
import type { Body, Lines, RouteContract, Unstructured } from '../contract/route-contract.ts'
import { type Answers, type Input, type JsonOf, type RouteKey, type Routes, routes } from '../contract/routes.ts'
import type { Login, Role, Scope } from './principal.ts'
import { requireLogin } from './require-login.ts'

/**
 * Registers routes from the contract. It lives here because the handlers of kinds use it as well, and kinds import nothing of
 * src/http; what it adds to Fastify, the authenticated login, is identity's.
 */

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on public routes without a sign-in. */
    login: Login | null
  }
  interface FastifyContextConfig {
    /** `public`: no sign-in. `peer`: another daemon. Otherwise the least role; `user` is anyone who is signed in. */
    access?: 'public' | 'peer' | Role
    /** What an API token must carry; a route without it can't be called with an API token. */
    scope?: Scope
    /** Requires a person's sign-in: no API token. */
    interactive?: boolean
  }
}

/** One call of a route: its input, as the contract defines it, and its caller. */
export interface Call<K extends RouteKey> {
  readonly params: Input<K, 'params'>
  readonly query: Input<K, 'query'>
  readonly body: Input<K, 'body'>
  /** Null only on routes that need no sign-in. */
  readonly login: Routes[K]['access'] extends 'public' | 'peer' ? Login | null : Login
  readonly request: FastifyRequest
  /** For headers. The status is the contract's. */
  readonly reply: FastifyReply
}

/** With several statuses the handler chooses one; what is no JSON it sends itself. */
type Result<K extends RouteKey> =
  Extract<Bodies<K>, Exclude<Unstructured, 'nothing'> | Lines> extends never
    ? IsUnion<keyof Answers<K>> extends true
      ? { [S in keyof Answers<K>]: { readonly status: S; readonly body: JsonOf<Answers<K>[S]> } }[keyof Answers<K>]
      : Bodies<K> extends 'nothing'
        ? Nothing
        : JsonOf<Bodies<K>>
    : FastifyReply

/** Such a handler returns without a value. */
type Nothing = ReturnType<() => void>
type Bodies<K extends RouteKey> = Answers<K>[keyof Answers<K>]
type IsUnion<T, Whole = T> = T extends unknown ? ([Whole] extends [T] ? false : true) : never

/** What is not part of the contract. */
type Extra = Pick<FastifyContextConfig, 'rateLimit'> & Pick<RouteShorthandOptions, 'logLevel'>

/** Adds the route `key` of the contract. Members of an answer that the contract doesn't name are dropped. */
export function route<K extends RouteKey, const R extends Result<K>>(
  app: FastifyInstance,
  key: K,
  handler: (call: Call<K>) => R | Promise<R>,
  extra: Extra = {},
): void {
  const contract: RouteContract = routes[key]
  const answers = Object.entries(contract.answer)
  const isJson = answers.every(([, body]) => body === 'nothing' || isSchema(body))
  app.route({
    ...toOptions(key, contract, extra),
    handler: async (request, reply) => {
      const result: unknown = await handler(toCall<K>(contract, request, reply))
      if (!isJson) return result
      const { status, body } = answers.length === 1 ? { status: answers[0]?.[0], body: result } : (result as Chosen)
      return reply.code(Number(status)).send(body)
    },
  })
}

interface Chosen {
  readonly status: number
  readonly body: unknown
}

/**
 * The same for a websocket.
 * @param accept where another process may open it: what that is told, after all that is checked of a websocket
 */
export function websocketRoute<K extends RouteKey>(
  app: FastifyInstance,
  key: K,
  handler: (socket: WebSocket, call: Omit<Call<K>, 'reply'>) => Promise<void>,
  accept?: (call: Omit<Call<K>, 'reply'>) => Promise<object>,
): void {
  const contract: RouteContract = routes[key]
  const { url, method, ...options } = toOptions(key, contract, {})
  const open = (socket: WebSocket, request: FastifyRequest) => handler(socket, toCall<K>(contract, request))
  if (!accept) {
    app.get(url, { ...options, websocket: true }, open)
    return
  }
  app.route({
    ...options,
    ...{ method, url },
    wsHandler: open,
    handler: async (request, reply) => {
      if (request.headers[frontHeaders.accept] === undefined) return reply.callNotFound()
      const accepted = await accept(toCall<K>(contract, request))
      return reply.type('application/json').send(JSON.stringify(accepted))
    },
  })
}

/** Between the processes of one daemon; no client can send or see them. */
export const frontHeaders = {
  /** Of a request: it was passed on by a front of this daemon. */
  secret: 'x-sallyport-front',
  /** Of a request: a websocket is to be opened by the front, which is told what for. */
  accept: 'x-sallyport-accept',
  /** Of an answer: the client is signed in. */
  signedIn: 'x-sallyport-signed-in',
} as const

/** Fastify has checked the parts by the very schemas that the types are made of. */
function toCall<K extends RouteKey>(contract: RouteContract, request: FastifyRequest, reply?: FastifyReply): Call<K> {
  const { params, query, body } = request
  const login = contract.access === 'public' || contract.access === 'peer' ? request.login : requireLogin(request)
  return { params, query, body, login, request, reply } as Call<K>
}

function toOptions(key: RouteKey, contract: RouteContract, { rateLimit, logLevel }: Extra) {
  const { summary, access, scope, interactive, params, query, body, hidden } = contract
  const [method = '', url = ''] = key.split(' ')
  return {
    method,
    url,
    config: {
      access,
      ...(scope ? { scope } : {}),
      ...(interactive ? { interactive } : {}),
      ...(rateLimit === undefined ? {} : { rateLimit }),
    },
    ...(logLevel ? { logLevel } : {}),
    schema: {
      summary,
      produces: Object.values(contract.answer).flatMap(mediaType),
      ...(hidden ? { hide: true } : {}),
      ...(params ? { params } : {}),
      ...(query ? { querystring: query } : {}),
      ...(body ? { body } : {}),
      response: toResponses(contract.answer),
    },
  }
}

/** By any other status nothing but a problem leaves. */
function toResponses(answer: RouteContract['answer']): Record<string, unknown> {
  const declared = Object.entries(answer).map(([status, body]) => [status, toResponse(body, Number(status))])
  return {
    ...Object.fromEntries(declared),
    default: { description: 'A problem', content: { 'application/problem+json': problem, '*/*': problem } },
  }
}

/** Added to the app by http/plugins/problems.ts. */
const problem = { schema: { $ref: 'Problem#' } }

function toResponse(body: Body, status: number): Record<string, unknown> {
  if (body === 'nothing' || body === 'redirect' || body === 'websocket') return { description: 'Nothing', type: 'null' }
  if (!isSchema(body)) return { description: 'Text', type: 'string' }
  if (status < 400) return { ...body }
  return {
    description: 'Not now',
    content: { 'application/json': { schema: body }, 'application/problem+json': problem },
  }
}

function isSchema(body: Body): body is Exclude<Body, Unstructured | Lines> {
  return typeof body !== 'string' && !('lines' in body)
}

/** For the API document. */
function mediaType(body: Body): string | readonly string[] {
  if (typeof body === 'string') return mediaTypes[body] ?? []
  return 'lines' in body ? 'application/x-ndjson' : 'application/json'
}

const mediaTypes: Partial<Record<Unstructured, string>> = {
  asciicast: 'application/x-asciicast',
  file: 'application/octet-stream',
  html: 'text/html',
  css: 'text/css',
  pem: 'application/x-pem-file',
  openapi: 'application/json',
  sealed: 'application/octet-stream',
}
