import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { Topic } from './queries.ts'

/** `late`: asked for every half minute; `over`: the sign-in has ended. */
export type LiveState = 'connecting' | 'live' | 'late' | 'over'

const waitMs = { first: 1000, most: 30_000 } as const
const pollMs = 30_000
const failuresUntilLate = 3
const signInEnded = 4401
const topics: readonly string[] = ['requests', 'grants', 'sessions', 'resources', 'me'] satisfies Topic[]

/** Reads again what the broker says has changed. */
export function useLive(): LiveState {
  const client = useQueryClient()
  const [state, setState] = useState<LiveState>('connecting')
  useEffect(() => {
    let failures = 0
    let socket: WebSocket | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const readAll = () => void client.invalidateQueries()
    const open = () => {
      const { protocol, host } = location
      socket = new WebSocket(`${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/api/v1/live`)
      socket.addEventListener('open', () => {
        if (failures > 0) readAll() // news were missed meanwhile
        failures = 0
        setState('live')
      })
      socket.addEventListener('message', ({ data }) => {
        const topic = topicOf(data)
        if (topic !== undefined) void client.invalidateQueries({ queryKey: [topic] })
      })
      socket.addEventListener('close', ({ code }) => {
        if (code === signInEnded) return setState('over')
        failures += 1
        if (failures >= failuresUntilLate) setState('late')
        const ms = Math.min(waitMs.most, waitMs.first * 2 ** (failures - 1))
        timer = setTimeout(open, ms / 2 + (Math.random() * ms) / 2)
      })
    }
    open()
    return () => {
      clearTimeout(timer)
      socket?.close()
    }
  }, [client])
  useEffect(() => {
    if (state !== 'late') return
    const timer = setInterval(() => void client.invalidateQueries(), pollMs)
    return () => clearInterval(timer)
  }, [client, state])
  return state
}

function topicOf(data: unknown): string | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const { topic } = JSON.parse(data) as { topic?: unknown }
    return topics.find((one) => one === topic)
  } catch {
    return undefined
  }
}
