import type { CommandHint, CommandsBy } from '../../../catalog/kind.ts'
import { forwardText } from '../forward.ts'
import type { InstanceLevel } from '../level.ts'

const mostForwards = 5

/** Commands for what a level has. */
export function instanceCommands(
  { commands, copy, ssh, forward }: Pick<InstanceLevel, 'commands' | 'copy' | 'ssh' | 'forward'>,
  _target: unknown,
  { name, options }: CommandsBy,
): CommandHint[] {
  return [
    { title: 'shell', words: ['sallyport', 'shell', name, ...options] },
    ...(commands ? [{ title: 'one command', words: ['sallyport', 'shell', name, ...options, '--', 'uptime'] }] : []),
    ...(ssh === 'none' ? [] : [{ title: 'ssh, scp, rsync', words: ['sallyport', 'ssh-config', ...options] }]),
    ...(copy.includes('down')
      ? [{ title: 'a file from it', words: ['sallyport', 'cp', ...options, `${name}:/etc/os-release`, '.'] }]
      : []),
    ...(copy.includes('up')
      ? [{ title: 'a file to it', words: ['sallyport', 'cp', ...options, './file', `${name}:/tmp/`] }]
      : []),
    ...forward.slice(0, mostForwards).map((target) => ({
      title: `port ${forwardText(target)}`,
      words: ['sallyport', 'forward', name, forwardText(target), ...options],
    })),
  ]
}
