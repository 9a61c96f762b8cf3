import type { MeaningLine } from '../../../catalog/kind.ts'
import { budgetMeans } from '../../session-members.ts'
import { forwardText } from '../forward.ts'
import type { InstanceLevel } from '../level.ts'
import type { InstanceTarget } from '../target.ts'

type Level = Pick<InstanceLevel, 'osUser' | 'commands' | 'forward' | 'ssh' | 'copy' | 'recordsInput' | 'budget'>

/** What a level gives on an instance. */
export function instanceMeans(
  { osUser, commands, forward, ssh, copy, recordsInput, budget }: Level,
  { instanceId }: Pick<InstanceTarget, 'instanceId'>,
): MeaningLine[] {
  const ways = [
    'shell',
    ...(commands ? ['single commands'] : []),
    ...(ssh === 'none' ? [] : [ssh === 'full' ? 'SSH with forwarding' : 'SSH without forwarding']),
    ...(copy.includes('down') ? ['files from it'] : []),
    ...(copy.includes('up') ? ['files to it'] : []),
  ]
  return [
    { label: 'instance', value: instanceId },
    { label: 'user of the system', value: osUser },
    { label: 'ways in', value: ways.join(', ') },
    ...(forward.length === 0 ? [] : [{ label: 'forwarded ports', value: forward.map(forwardText).join(', ') }]),
    { label: 'recorded', value: recordsInput ? 'what is shown and what is typed' : 'what is shown' },
    ...budgetMeans(budget),
  ]
}
