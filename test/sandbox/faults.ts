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
  /** The next `count` requests lose their connection without an answer. */
  drop(count: number): void
  clear(): void
}

/** The double's side of the knobs. */
export interface ArmedFaults extends AwsFaults {
  isDenied(action: string): boolean
  /** The error for this action, if one was asked for. */
  failureOf(action: string): string | undefined
  /** Waits where the action is held. */
  passHold(action: string): Promise<void>
  /** Takes one throttled request, if any is left. */
  takeThrottle(): boolean
  /** Waits as `slow` says; true when the connection was dropped and nothing may be answered. */
  delayOrDrop(socket: Socket): Promise<boolean>
}

export function createFaults(): ArmedFaults {
  const denied = new Set<string>()
  const failing = new Map<string, string>()
  const failingOnce: { action: string; left: number; code: string }[] = []
  const takeFailure = (action: string): string | undefined => {
    const due = failingOnce.filter((one) => one.action === action && --one.left === 0)
    return due[0]?.code
  }
  const held = new Map<string, { come(): void; gone: Promise<void> }>()
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
      left.throttles = 0
      left.drops = 0
      delayMs = 0
    },
    hold: (action) => {
      const { promise: waits, resolve: come } = Promise.withResolvers<void>()
      const { promise: gone, resolve: letGo } = Promise.withResolvers<void>()
      held.set(action, { come, gone })
      return { waits, letGo }
    },
    passHold: async (action) => {
      const waiting = held.get(action)
      held.delete(action)
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
