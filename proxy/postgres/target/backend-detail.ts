import type { Wire } from '../../reach/reach.ts'
import type { Backend } from './backend.ts'

/** For the session's row: with these a later run of the daemon finds the process again. */
export function backendDetail(
  { address }: Pick<Wire, 'address'>,
  backend: Backend | undefined,
): Record<string, string> {
  if (!backend) return {}
  return {
    backend_pid: backend.pid,
    backend_start: backend.startedAt,
    server_start: backend.serverStartedAt,
    target_address: `${address.host}:${address.port}`,
  }
}

/** @returns undefined: the session's row names none */
export function readBackendDetail(detail: Readonly<Record<string, string>>): Backend | undefined {
  const { backend_pid: pid, backend_start: startedAt, server_start: serverStartedAt } = detail
  return pid && startedAt && serverStartedAt ? { pid, startedAt, serverStartedAt } : undefined
}

/** For the recording: as pg_stat_activity names it. */
export function shownBackend({ pid, startedAt }: Backend): Record<string, unknown> {
  return { pid: Number(pid), backendStart: startedAt }
}
