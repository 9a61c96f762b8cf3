import { distance } from 'fastest-levenshtein'

/** A long key costs no more than this. */
const mostCharacters = 64

/** The known name that was most likely meant; undefined when none is similar. */
export function suggest(name: string, known: readonly string[]): string | undefined {
  const allowed = name.length < 5 ? 1 : 2
  const written = name.slice(0, mostCharacters).toLowerCase()
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(written, candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= allowed || isPartOf(name, candidate))
    .sort((a, b) => a.edits - b.edits)
  return ranked[0]?.candidate
}

/** `url` for `public_url`, `client-id` for `client_id`. */
function isPartOf(name: string, candidate: string): boolean {
  const words = (text: string) => text.toLowerCase().split(/[^a-z0-9]+/)
  return words(name).every((word) => word.length > 2 && words(candidate).includes(word))
}
