import { Type } from 'typebox'
import type { RouteContract } from './route-contract.ts'
import { count, flag, idOf, instant, mapOf, nullable, object, oneOf, type Shape, text } from './schema.ts'

const Origin = object({ address: text(), port: count(), via: oneOf(['listener', 'websocket', 'api']) })

/** How far the log had come, as a daemon remembers it apart from the store. */
const Mark = object({
  v: Type.Literal(1),
  mark: text(),
  installation: text(),
  count: count(),
  seq: count(),
  hash: text(),
  at: instant(),
  checkpoint: count(),
  since: mapOf(instant()),
  removals: text(),
  damage: nullable(text()),
})

/** What daemons of one installation ask each other, each as JSON. */
export const peerCalls = {
  cancel: {
    ask: object({ protocol: text(), id: count(), key: text('Hex'), origin: Origin }),
    answer: object({ isRight: flag() }),
  },
  stop: {
    ask: object({
      protocol: text(),
      number: count(),
      what: oneOf(['statement', 'session']),
      principalId: text(),
      resourceId: text(),
      origin: Origin,
    }),
    answer: object({ result: oneOf(['done', 'unknown', 'denied']) }),
  },
  mark: { ask: object({}), answer: Mark },
  recording: {
    ask: object({ session: idOf('ses'), offset: Type.Integer({ minimum: 0 }) }),
    answer: object({
      isThere: flag(),
      bytes: text('From the offset on, at most 512 KiB, in base64; nothing: it ends there'),
    }),
  },
  tell: {
    ask: object({ session: idOf('ses'), text: text('For the person in front of its terminal') }),
    answer: object({
      isShown: flag('False: it has no terminal that runs'),
      size: count('Bytes of its recording then'),
    }),
  },
} as const

export type PeerCall = keyof typeof peerCalls
export type PeerAsk<C extends PeerCall> = Shape<(typeof peerCalls)[C]['ask']>
export type PeerAnswer<C extends PeerCall> = Shape<(typeof peerCalls)[C]['answer']>

/** What is in an answer: what was asked for, or why not. */
export const PeerProblem = object({ code: text(), detail: nullable(text()) })

export const peerNames = Object.keys(peerCalls) as PeerCall[]

/** For the other daemons of the installation alone: signed and sealed by the keys that they share. */
export const peerRoutes = {
  'POST /internal/peer/:what': {
    summary: 'A call by another daemon of the installation',
    access: 'peer',
    hidden: true,
    params: object({ what: oneOf(peerNames) }),
    answer: { 200: 'sealed' },
  },
} as const satisfies Record<string, RouteContract>
