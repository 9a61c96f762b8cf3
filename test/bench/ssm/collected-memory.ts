import { once } from 'node:events'
import { WebSocket } from 'ws'
import { quietFor, waitFor } from '../../wait-until.ts'
import { residentMegabytes } from '../memory.ts'

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
