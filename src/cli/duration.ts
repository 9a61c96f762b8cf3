import { InvalidArgumentError } from 'commander'

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90m`, `2h`, `1h30m` → milliseconds. For commander: @throws InvalidArgumentError (exit code 2) */
export function parseDuration(text: string): number {
  if (!/^(\d{1,6}[smhd])+$/.test(text)) throw new InvalidArgumentError('expected a duration such as 90m, 2h or 1h30m.')
  let ms = 0
  for (const [, count, unit] of text.matchAll(/(\d+)([smhd])/g)) ms += Number(count) * (unitsMs[unit ?? ''] ?? 0)
  if (ms <= 0) throw new InvalidArgumentError('expected more than nothing.')
  return ms
}

/** 5400000 → `1h30m` */
export function formatDuration(ms: number): string {
  let left = Math.max(0, Math.round(ms / 1000)) * 1000
  let text = ''
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = unitsMs[unit] ?? 1
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text || '0s'
}
