import type { Surroundings } from '../../../catalog/kind.ts'
import { unsupported } from '../found/facts.ts'
import type { InstanceLevel } from '../level.ts'
import type { InstanceTarget } from '../target.ts'
import { streamLimits } from './stream-limits.ts'

/** What an approver should know. @returns sentences */
export function instanceLimits(
  { account, instanceId, facts }: Pick<InstanceTarget, 'account' | 'instanceId' | 'facts'>,
  level: Pick<InstanceLevel, 'osUser' | 'recordsInput' | 'commands' | 'forward' | 'ssh' | 'copy'>,
  { aws }: Surroundings,
): string[] {
  const { osUser, recordsInput, commands } = level
  const typed = recordsInput
    ? 'What is typed is recorded, passwords included.'
    : 'What the terminal shows is recorded; what is typed without being shown, such as a password, is not.'
  const personal = `Account ${account} takes ID tokens: a person who gets hold of their own can open a shell without the broker, with no grant and no recording; and the broker cannot end there what a daemon that died has left open, before maxSessionDuration of the document does.`
  const nothing = unsupported(facts)
  return [
    ...(nothing === null ? [] : [`Nothing can be opened with this access: ${nothing}.`]),
    `Opens a shell on ${instanceId} as ${osUser}, which can do there all that ${osUser} can, with sudo if the instance allows it.`,
    ...(commands
      ? ['Single commands are run there, too; AWS keeps their text in CloudTrail as a parameter of StartSession.']
      : []),
    'From there it reaches every host that the instance reaches, and AWS with the role of the instance.',
    'When the access ends the shell is ended; programs that were started to run on without it, and what they changed, remain.',
    typed,
    ...streamLimits(level),
    ...(aws.accounts[account]?.trust === 'web_identity' ? [personal] : []),
  ]
}
