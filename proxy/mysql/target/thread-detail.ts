import type { Wire } from '../../reach/reach.ts'
import type { ServerThread } from './server-thread.ts'

/** For the session's row: with these a later run of the daemon finds the thread again. */
export function threadDetail(
  { address }: Pick<Wire, 'address'>,
  thread: ServerThread | undefined,
): Record<string, string> {
  if (!thread) return {}
  return {
    thread_id: String(thread.id),
    server: thread.server,
    thread_proof: thread.proof.by,
    target_address: `${address.host}:${address.port}`,
  }
}

/** @returns undefined: the session's row names none, or none that can be recognised by another run */
export function readThreadDetail(
  sessionId: string,
  detail: Readonly<Record<string, string>>,
): ServerThread | undefined {
  const { thread_id: id = '', server, thread_proof: by } = detail
  if (!/^[1-9][0-9]{0,9}$/.test(id) || !server || by !== 'attribute') return undefined
  return { id: Number(id), server, sessionId, proof: { by } }
}
