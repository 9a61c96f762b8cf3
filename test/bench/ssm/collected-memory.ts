import { once } from 'node:events'
import { WebSocket } from 'ws'
import { quietFor, waitFor } from '../../wait-until.ts'
import { residentMegabytes } from '../memory.ts'

const atOnce = 20
const warmUps = 50

/** What a Node program must be started with for {@link collectedMegabytes}. */
export function inspectable(port: number): { NODE_OPTIONS: string } {
  return { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` }
}

/** What a process has in memory once its garbage is collected: Node does that by itself when it must, and no sooner. */
export async function collectedMegabytes(pid: number, port: number): Promise<number> {
  await quietFor(2000, 'what was needed to open them comes to rest')
  process.kill(pid, 'SIGUSR1') // opens the inspector, if it is not open
  const socket = await waitFor(() => connect(port), 'its inspector answers')
  for (const method of ['HeapProfiler.enable', 'HeapProfiler.collectGarbage', 'HeapProfiler.collectGarbage']) {
    socket.send(JSON.stringify({ id: 1, method }))
    await once(socket, 'message')
  }
  socket.close()
  await once(socket, 'close')
  return residentMegabytes(pid)
}

async function connect(port: number): Promise<WebSocket | undefined> {
  try {
    const list = await fetch(`http://127.0.0.1:${port}/json/list`)
    const [found] = (await list.json()) as { webSocketDebuggerUrl: string }[]
    const socket = new WebSocket(found?.webSocketDebuggerUrl ?? '')
    await once(socket, 'open')
    return socket
  } catch {
    return undefined // not yet
  }
}

interface Closable {
  close(): void
}

/** What one of those that are opened takes. @returns KB */
export async function growth(
  { pid, inspector }: { readonly pid: number; readonly inspector: number },
  open: () => Promise<Closable>,
  sessions: number,
  note: (count: number) => void,
): Promise<number> {
  const warm = await openMany(open, warmUps, () => {})
  const before = await collectedMegabytes(pid, inspector)
  const opened = await openMany(open, sessions, note)
  const after = await collectedMegabytes(pid, inspector)
  for (const one of [...warm, ...opened]) one.close()
  return ((after - before) * 1024) / sessions
}

async function openMany(open: () => Promise<Closable>, count: number, note: (count: number) => void) {
  const opened: Closable[] = []
  while (opened.length < count) {
    opened.push(...(await Promise.all(Array.from({ length: Math.min(atOnce, count - opened.length) }, open))))
    note(opened.length)
  }
  return opened
}
