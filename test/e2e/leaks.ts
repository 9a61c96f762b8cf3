/** Looks for secrets in what a program leaves behind. */

/** Something that must be in no output, and what it is. */
export interface Secret {
  readonly what: string
  readonly value: string | Buffer
}

/** Something that people may read, and what it is. */
export interface Place {
  readonly what: string
  readonly content: string | Buffer
}

/** `WHAT in PLACE`, for each secret that is somewhere as it is, percent-encoded, or in hex or base64. */
export function findLeaks(secrets: readonly Secret[], places: readonly Place[]): string[] {
  const leaks: string[] = []
  const contents = places.map(({ what, content }) => ({ what, content: Buffer.from(content as string) }))
  for (const { what, value } of secrets) {
    const needles = formsOf(Buffer.from(value as string))
    for (const place of contents)
      if (needles.some((needle) => place.content.includes(needle))) leaks.push(`${what} in ${place.what}`)
  }
  return leaks
}

/** @throws Error for a value so short that finding it would mean nothing */
function formsOf(value: Buffer): string[] | Buffer[] {
  if (value.length < 12) throw new Error(`${value.length} bytes are found everywhere`)
  const text = value.toString('latin1')
  return [value, encodeURIComponent(text), value.toString('hex'), ...inBase64(value)].map((form) => Buffer.from(form))
}

/** How base64 of a longer text shows this part of it: by where it begins, without the characters shared with its neighbours. */
function inBase64(value: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const whole = value.subarray((3 - offset) % 3)
    const encoded = whole.subarray(0, whole.length - (whole.length % 3)).toString('base64')
    return [encoded, encoded.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
