import { InvalidArgumentError } from 'commander'
import { formatDuration, parseDurationSum } from '../../proxy/duration.ts'

/** `90m`, `2h`, `1h30m` → milliseconds. For commander: @throws InvalidArgumentError (exit code 2) */
export function durationArgument(text: string): number {
  const ms = parseDurationSum(text)
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 90m, 2h or 1h30m.')
  if (ms <= 0) throw new InvalidArgumentError('expected a duration above zero.')
  return ms
}

/** To the second; nothing is left of what is over. */
export function formatRemaining(ms: number): string {
  return formatDuration(Math.max(0, Math.round(ms / 1000)) * 1000)
}
