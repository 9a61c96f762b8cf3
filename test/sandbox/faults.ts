import type { Socket } from 'node:net'
import { quietFor } from '../wait-until.ts'

export interface Held {
  /** Resolves once it waits. */
  readonly waits: Promise<void>
  letGo(): void
}

/** What an AWS double can be told to do wrong. Every knob stays until it is used up, or until `clear()`. */
export interface AwsFaults {
  /** Refuses this action (e.g. `sts:AssumeRole`, `rds-db:connect`) as if an organization policy denied it. */
  deny(action: string): void
  /** Every call of this action (e.g. `AssumeRole`) is answered with this error, e.g. RegionDisabledException. */
  fail(action: string, code: string): void
  /** One call of this action is answered with this error: the `nth` from now on, where 1 is the next. */
  failOnce(action: string, nth: number, code: string): void
  /** The next `count` requests are answered with Throttling. */
  throttle(count: number): void
  /** Every answer waits this long. */
  slow(ms: number): void
  /** The next call of this action (e.g. `CreatePolicyVersion`) waits until it is let go, as if its sender had been stopped. */
  hold(action: string): Held
  /** Every call of this action with credentials of this account waits until it is let go: its sender gives up, and tries again. */
  stall(action: string, account: string): Held
  /** The next `count` requests lose their connection without an answer. */
  drop(count: number): void
  /** The next call of this action is carried out, and its answer is lost with the connection. */
  loseAnswer(action: string): void
  /** The next call of this action is carried out, and its answer waits. */
  holdAnswer(action: string): Held
  clear(): void
}

/** The double's side of the knobs. */
export interface ArmedFaults extends AwsFaults {
  isDenied(action: string): boolean
  /** The error for this action, if one was asked for. */
  failureOf(action: string): string | undefined
  /** Waits where the action is held. */
  passHold(action: string): Promise<void>
  /** After the call. @returns true: the connection is to be dropped instead of an answer */
  passAnswer(action: string): Promise<boolean>
  /** Waits where the action is stalled for who calls. */
  passStall(action: string, account: string): Promise<void>
  /** Takes one throttled request, if any is left. */
  takeThrottle(): boolean
  /** Waits as `slow` says; true when the connection was dropped and nothing may be answered. */
  delayOrDrop(socket: Socket): Promise<boolean>
}

const answerOf = (action: string) => `${action} answered`
const stallOf = (action: string, account: string) => `${action} of ${account}`

export function createFaults(): ArmedFaults {
  const denied = new Set<string>()
  const failing = new Map<string, string>()
  const failingOnce: { action: string; left: number; code: string }[] = []
  const takeFailure = (action: string): string | undefined => {
    const due = failingOnce.filter((one) => one.action === action && --one.left === 0)
    return due[0]?.code
  }
  const held = new Map<string, { come(): void; gone: Promise<void> }>()
  const hold = (what: string): Held => {
    const { promise: waits, resolve: come } = Promise.withResolvers<void>()
    const { promise: gone, resolve: letGo } = Promise.withResolvers<void>()
    held.set(what, { come, gone })
    return { waits, letGo }
  }
  const pass = async (what: string) => {
    const waiting = held.get(what)
    held.delete(what)
    waiting?.come()
    await waiting?.gone
  }
  const lost = new Set<string>()
  const left = { throttles: 0, drops: 0 }
  let delayMs = 0
  return {
    deny: (action) => denied.add(action.toLowerCase()),
    fail: (action, code) => failing.set(action, code),
    failOnce: (action, nth, code) => failingOnce.push({ action, left: nth, code }),
    throttle: (count) => {
      left.throttles = count
    },
    slow: (ms) => {
      delayMs = ms
    },
    drop: (count) => {
      left.drops = count
    },
    clear: () => {
      denied.clear()
      failing.clear()
      failingOnce.length = 0
      lost.clear()
      left.throttles = 0
      left.drops = 0
      delayMs = 0
    },
    loseAnswer: (action) => lost.add(action),
    hold,
    holdAnswer: (action) => hold(answerOf(action)),
    passHold: pass,
    passAnswer: async (action) => {
      await pass(answerOf(action))
      return lost.delete(action)
    },
    stall: (action, account) => hold(stallOf(action, account)),
    passStall: async (action, account) => {
      const waiting = held.get(stallOf(action, account)) // it stays
      waiting?.come()
      await waiting?.gone
    },
    failureOf: (action) => takeFailure(action) ?? failing.get(action),
    isDenied: (action) => denied.has(action.toLowerCase()),
    takeThrottle: () => left.throttles > 0 && left.throttles-- > 0,
    delayOrDrop: async (socket) => {
      if (delayMs > 0) await quietFor(delayMs, 'the fault is a slow answer')
      if (left.drops === 0) return false
      left.drops -= 1
      socket.destroy()
      return true
    },
  }
}
