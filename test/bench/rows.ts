/** One figure. `budget` and `ok` only where the design sets a budget. */
export interface Row {
  readonly bench: string
  readonly case: string
  readonly unit: string
  /** Median of the rounds; NaN when none had a figure. */
  readonly value: number
  readonly peer?: string
  /** Median of the rounds' ratios to the peer: ours ÷ peer. */
  readonly ratio?: number
  /** Of the figure, and so of the ratio. With `less` the budget is the most allowed, otherwise the least. */
  readonly better?: Better
  readonly budget?: number
  readonly ok?: boolean
}

export type Better = 'more' | 'less'

/** What `--json` prints. */
const documented = ['bench', 'case', 'unit', 'value', 'peer', 'ratio', 'budget', 'ok'] satisfies (keyof Row)[]

export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  /** So many busy ones, and as many idle ones, where sessions are opened. */
  readonly sessions?: number
  /** Run only the cases whose name contains this. */
  readonly only?: string
  /** Another checkout, to be measured as one more peer. */
  readonly against?: string
  /** Shows what is being done. */
  note(text: string): void
  /** Says what went wrong, on a line that stays. */
  warn(text: string): void
}

/** Of those that are figures: NaN stands for a round without one. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const at = (i: number) => sorted[i] ?? Number.NaN
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2
}

/** The least of the values that is not below this share of them; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** Of figures measured in the same rounds. */
export function medianRatio(ours: readonly number[], peers: readonly number[]): number {
  return median(ours.map((value, i) => value / (peers[i] ?? Number.NaN)))
}

/** The budget and whether it was kept; without a ratio (NaN) it was not. */
export function gate(ratio: number, budget: number, better: Better): Pick<Row, 'better' | 'budget' | 'ok'> {
  return { better, budget, ok: better === 'less' ? ratio <= budget : ratio >= budget }
}

export function printRows(rows: readonly Row[], asJson: boolean): void {
  if (asJson) {
    for (const row of rows) process.stdout.write(`${JSON.stringify(row, documented)}\n`)
    return
  }
  const cells = rows.map((row) => [
    row.case,
    `${format(row.value)} ${row.unit}`,
    ratioOf(row),
    row.budget === undefined ? '' : `${row.ok ? 'ok' : 'MISSED'} (${limitOf(row)} ${row.budget})`,
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

function ratioOf({ ratio, peer, better }: Row): string {
  if (ratio === undefined || Number.isNaN(ratio)) return ''
  return `${ratio.toFixed(2)} × ${peer}${better === 'less' ? ', less is better' : ''}`
}

function limitOf({ better }: Row): string {
  return better === 'less' ? 'at most' : 'at least'
}

function format(value: number): string {
  if (Number.isNaN(value)) return 'no'
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
