import { isIP } from 'node:net'
import { isLoopback } from '../../../../proxy/ports/loopback.ts'
import { forwardText } from '../forward.ts'
import type { InstanceLevel } from '../level.ts'

type Level = Pick<InstanceLevel, 'osUser' | 'forward' | 'ssh' | 'copy'>

/** What an approver should know of streams: what the broker cannot see or do of them. @returns sentences */
export function streamLimits(level: Level): string[] {
  return [...sshLimits(level), ...copyLimits(level), ...forwardLimits(level)]
}

function sshLimits({ osUser, ssh }: Level): string[] {
  if (ssh === 'none') return []
  const reach =
    ssh === 'full'
      ? 'It forwards ports and agents too, so that programs on the person’s machine reach every host that the instance reaches.'
      : 'Its server forwards neither ports nor agents; a program that is started there can still reach every host that the instance reaches.'
  return [
    `Signs in by SSH as ${osUser}, with a key for each session: commands, and copies of any file in both directions. ${reach}`,
    'SSH is encrypted from end to end: the recording says when, and how many bytes, but nothing of what was typed, shown or copied. Processes may outlive it.',
  ]
}

function copyLimits({ osUser, copy }: Level): string[] {
  const down = `from the instance, any that ${osUser} may read`
  const up = `to it, wherever ${osUser} may write: programs and keys too, which remain when the access ends`
  const ways = [...(copy.includes('down') ? [down] : []), ...(copy.includes('up') ? [up] : [])]
  if (ways.length === 0) return []
  return [`Copies files ${ways.join('; ')}. Each is on record with its path, size and SHA-256, its content is not.`]
}

function forwardLimits({ forward }: Level): string[] {
  if (forward.length === 0) return []
  const targets = forward.map(forwardText).join(', ')
  const names = forward.filter(({ host }) => isIP(host) === 0 && !isLoopback(host))
  const resolved =
    'The instance resolves the names of hosts: who controls its DNS decides where the connections lead, as far as the session document allows.'
  return [
    `Forwards connections through the instance to ${targets}; any program on the person's machine can use them while they are open.`,
    'What passes through forwarded ports cannot be read: the recording says where they led, when, and how many bytes.',
    ...(names.length > 0 ? [resolved] : []),
  ]
}
