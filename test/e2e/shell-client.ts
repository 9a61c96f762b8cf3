/** Websockets of terminals at a daemon, as a browser or the command has them. */
import { WebSocket } from 'ws'
import { shellInstance } from '../sandbox/default-world.ts'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import { waitUntil } from '../wait-until.ts'
import type { Door } from './company.ts'

export interface ShellAsk {
  readonly resource?: string
  readonly level?: string
  readonly who?: 'alice' | 'bob'
  /** Of the page that opens it; that of the broker by default. */
  readonly origin?: string
  /** The sign-in of `who` by default. */
  readonly cookie?: string
  /** False: it never says that it has shown something. */
  readonly acks?: boolean
  /** Instead of a shell. */
  readonly command?: string
}

interface At extends Pick<Door, 'cookie'> {
  readonly daemon: { readonly url: string }
}

/** @throws Error when it is refused */
export async function openShell(company: At, ask: ShellAsk = {}) {
  const { resource = shellInstance, level, who = 'alice', acks = true, command } = ask
  const { origin = company.daemon.url, cookie = company.cookie(who) } = ask
  const url = new URL('/api/v1/connect/shell', company.daemon.url)
  const what: Record<string, string> = command === undefined ? { cols: '100', rows: '30' } : { command: '1' }
  url.search = new URLSearchParams({ resource, ...what, ...(level ? { level } : {}) }).toString()
  const opened = await open(url, { cookie, origin }, acks)
  if (command !== undefined) opened.say({ command })
  return opened
}

export interface WatchAsk {
  readonly door: Pick<Door, 'cookie'>
  readonly who: AccountName
  readonly session: string
  readonly url: string
  /** Of the page that opens it; `url` by default. */
  readonly origin?: string
  /** False: it never says that it has shown something. */
  readonly acks?: boolean
}

/** Watches the terminal of a session. */
export async function openWatch({ door, who, session, url, origin = url, acks = true }: WatchAsk) {
  return await open(new URL(`/api/v1/sessions/${session}/watch`, url), { cookie: door.cookie(who), origin }, acks)
}

async function open(url: URL, headers: Readonly<Record<string, string>>, acks: boolean) {
  url.protocol = 'ws:'
  const socket = new WebSocket(url, { headers })
  const seen = { screen: '', bytes: 0, messages: [] as Record<string, unknown>[] }
  let closed: { readonly code: number; readonly reason: string } | undefined
  const ack = () => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: seen.bytes }))
  }
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return void seen.messages.push(JSON.parse(data.toString()))
    seen.screen += data
    seen.bytes += data.length
    if (acks) ack()
  })
  socket.on('close', (code, reason) => {
    closed = { code, reason: String(reason) }
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return {
    seen,
    ack,
    say: (message: object) => socket.send(JSON.stringify(message)),
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
    /** A text message that has it. */
    hears: (text: string | RegExp) =>
      waitUntil(
        () => JSON.stringify(seen.messages).search(text) >= 0,
        () => `${text} in ${JSON.stringify(seen.messages)}`,
        20_000,
      ),
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
