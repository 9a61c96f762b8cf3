/**
 * Loaded ahead of a program (`--import`), moves the time that it sees: it begins ahead by `SANDBOX_AHEAD_MS`, and each SIGUSR2
 * puts it forward, by `SANDBOX_STEP_MS` or an hour. Timers go on as they were.
 */
const stepMs = Number(process.env.SANDBOX_STEP_MS ?? 3_600_000)
const Real = globalThis.Date
let aheadMs = Number(process.env.SANDBOX_AHEAD_MS ?? 0)
process.on('SIGUSR2', () => {
  aheadMs += stepMs
})

globalThis.Date = class extends Real {
  constructor(...given: ConstructorParameters<DateConstructor>) {
    if ((given as readonly unknown[]).length === 0) super(Real.now() + aheadMs)
    else super(...given)
  }

  static override now(): number {
    return Real.now() + aheadMs
  }
} as DateConstructor

/** For a test that imports it: from now on it is this instant, here and in every program that is started from here. */
export function moveTo(instant: number): void {
  aheadMs = instant - Real.now()
  process.env.SANDBOX_AHEAD_MS = String(aheadMs)
  const load = `--import ${import.meta.url}`
  const options = process.env.NODE_OPTIONS ?? ''
  if (!options.includes(load)) process.env.NODE_OPTIONS = `${options} ${load}`.trim()
}
