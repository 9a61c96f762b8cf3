import { useSyncExternalStore } from 'react'
import { serverNow, whenShifted } from '../data/clock.ts'

const everyMs = 1000
let now = serverNow()
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function tick(): void {
  now = serverNow()
  for (const one of listeners) one()
}

whenShifted(tick)

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(tick, everyMs)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** The time by the broker's clock, to the second; what shows it is drawn again as it passes. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now)
}
