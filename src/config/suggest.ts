/** The known name that was most likely meant; undefined when none is near. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const allowed = name.length < 5 ? 1 : 2
  const ranked = known
    .map((candidate) => ({ candidate, distance: distanceOf(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= allowed || isPartOf(name, candidate))
    .sort((a, b) => a.distance - b.distance)
  return ranked[0]?.candidate
}

/** `url` for `public_url`, `client-id` for `client_id`. */
function isPartOf(name: string, candidate: string): boolean {
  const words = (text: string) => text.toLowerCase().split(/[^a-z0-9]+/)
  return words(name).every((word) => word.length > 2 && words(candidate).includes(word))
}

/** Levenshtein distance; names are cut, so that a long key costs nothing. */
function distanceOf(a: string, b: string): number {
  const from = a.slice(0, 64)
  let row = Array.from({ length: from.length + 1 }, (_, i) => i)
  for (const [j, letter] of [...b].entries()) {
    const next = [j + 1]
    for (let i = 0; i < from.length; i += 1)
      next.push(Math.min((row[i] ?? 0) + (from[i] === letter ? 0 : 1), (row[i + 1] ?? 0) + 1, (next[i] ?? 0) + 1))
    row = next
  }
  return row[from.length] ?? 0
}
