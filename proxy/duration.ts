/** Durations as text, e.g. `30s` or `1h30m`: how they are written in configuration, commands and messages. */
const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const

type Unit = keyof typeof unitsMs

/** @param text one count and one unit, as the configuration takes it; undefined otherwise. @returns milliseconds */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^([0-9]{1,8})(ms|s|m|h|d)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * unitsMs[unit as Unit]
}

/** `90m`, `1h30m`: whole units, one after the other, as people type it; undefined otherwise. @returns milliseconds */
export function parseDurationSum(text: string): number | undefined {
  if (!/^([0-9]{1,6}[smhd])+$/.test(text)) return undefined
  return (text.match(/[0-9]+[smhd]/g) ?? []).reduce((sum, part) => sum + (parseDuration(part) ?? 0), 0)
}

/** 5400000 → `1h30m` */
export function formatDuration(ms: number): string {
  let left = ms
  let text = ''
  for (const [unit, size] of Object.entries(unitsMs)) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text || '0s'
}
