/**
 * Loaded ahead of a program (`--import`), moves the time that it sees: each SIGUSR2 puts it forward, by `SANDBOX_STEP_MS` or an
 * hour. Timers go on as they were.
 */
const stepMs = Number(process.env.SANDBOX_STEP_MS ?? 3_600_000)
const Real = globalThis.Date
let aheadMs = 0
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
