/** Choices that another run repeats with the same `SALLYPORT_SEED`. */
export const seed = Number(process.env.SALLYPORT_SEED ?? Date.now() % 1_000_000)

let state = seed

/** @returns 0 ≤ x < 1 */
export function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
  return state / 2_147_483_648
}

/** @throws Error when there is nothing to choose from */
export function oneOf<T>(choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)]
  if (chosen === undefined) throw new Error('there is nothing to choose from')
  return chosen
}
