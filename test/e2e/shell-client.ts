/** A terminal's websocket at a daemon, as a browser or the command has one. */
import { WebSocket } from 'ws'
import { shellInstance } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import type { Company } from './company.ts'

export interface ShellAsk {
  readonly resource?: string
  readonly level?: string
  readonly who?: 'alice' | 'bob'
  /** Of the page that opens it; that of the broker by default. */
  readonly origin?: string
  /** The sign-in of `who` by default. */
  readonly cookie?: string
}

/** @throws Error when it is refused */
export async function openShell(company: Company, ask: ShellAsk = {}) {
  const { resource = shellInstance, level, who = 'alice' } = ask
  const { origin = company.daemon.url, cookie = company.cookie(who) } = ask
  const url = new URL('/api/v1/connect/shell', company.daemon.url)
  url.protocol = 'ws:'
  url.search = new URLSearchParams({ resource, cols: '100', rows: '30', ...(level ? { level } : {}) }).toString()
  const socket = new WebSocket(url, {
    headers: { cookie, origin },
  })
  const seen = { screen: '', bytes: 0, messages: [] as Record<string, unknown>[] }
  let closed: { readonly code: number; readonly reason: string } | undefined
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return void seen.messages.push(JSON.parse(data.toString()))
    seen.screen += data
    seen.bytes += data.length
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: seen.bytes }))
  })
  socket.on('close', (code, reason) => {
    closed = { code, reason: String(reason) }
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return {
    seen,
    type: (text: string) => socket.send(Buffer.from(text)),
    resize: (cols: number, rows: number) => socket.send(JSON.stringify({ resize: { cols, rows } })),
    shows: async (text: string | RegExp) => {
      const has = () => seen.screen.search(text) >= 0
      await waitUntil(
        () => has() || closed !== undefined,
        () => `${text} in ${JSON.stringify(seen)}`,
        20_000,
      )
      if (!has()) throw new Error(`closed before ${text}: ${JSON.stringify({ closed, ...seen })}`)
    },
    closes: async () => {
      await waitUntil(
        () => closed !== undefined,
        () => `it is closed ${JSON.stringify(seen)}`,
      )
      return { ...closed, screen: seen.screen }
    },
    leave: async () => {
      socket.close()
      await waitUntil(() => closed !== undefined, 'it is closed')
    },
  }
}
