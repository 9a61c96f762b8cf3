import type { Socket } from 'node:net'
import { EndSchedule, endingText, stayHint } from '../../../proxy/ending.ts'
import { localProtocolNamed } from '../../../proxy/local/protocols.ts'
import type { Target } from './target.ts'

export interface SessionNoticesDeps {
  now(): number
  /** For people, on stderr. */
  warn(text: string): void
}

/** Says before this session has used the time that its level allows, where the broker cannot tell the client itself. */
export function watchSession(
  { now, warn }: SessionNoticesDeps,
  { name, protocol, sessionMs }: Pick<Target, 'name' | 'protocol' | 'sessionMs'>,
  client: Socket,
): void {
  if (sessionMs === null || localProtocolNamed(protocol).tellsOfEnd) return
  const schedule = new EndSchedule(now() + sessionMs, now())
  let timer: NodeJS.Timeout | undefined
  const arm = () => {
    const leftMs = schedule.take(now())
    if (leftMs !== undefined)
      warn(`${endingText(`a session on ${name}`, { endsAt: schedule.endsAt, leftMs })}; ${stayHint({ grantId: null })}`)
    if (schedule.dueAt !== undefined) timer = setTimeout(arm, Math.max(schedule.dueAt - now(), 1))
  }
  client.once('close', () => clearTimeout(timer))
  arm()
}
