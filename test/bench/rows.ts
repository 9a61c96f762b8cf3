/** One figure. `budget` and `ok` only where the design sets a budget. */
export interface Row {
  readonly bench: string
  readonly case: string
  readonly unit: string
  /** Median of the rounds. */
  readonly value: number
  readonly peer?: string
  /** Median of the rounds' ratios to the peer: ours ÷ peer. */
  readonly ratio?: number
  readonly budget?: number
  readonly ok?: boolean
}

export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  /** Shows what is being done. */
  note(text: string): void
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const at = (i: number) => sorted[i] ?? Number.NaN
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2
}

/** Of figures measured in the same rounds. */
export function medianRatio(ours: readonly number[], peers: readonly number[]): number {
  return median(ours.map((value, i) => value / (peers[i] ?? Number.NaN)))
}

export function printRows(rows: readonly Row[], asJson: boolean): void {
  if (asJson) {
    for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`)
    return
  }
  const cells = rows.map((row) => [
    row.case,
    `${format(row.value)} ${row.unit}`,
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} × ${row.peer}`,
    row.budget === undefined ? '' : `${row.ok ? 'ok' : 'MISSED'} (budget ${row.budget})`,
    row.ratio === undefined ? '' : '▇'.repeat(Math.min(40, Math.round(row.ratio * 20))),
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  for (const row of cells)
    process.stdout.write(
      `${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
