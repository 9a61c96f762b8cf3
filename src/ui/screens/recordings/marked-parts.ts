interface Part {
  readonly part: string
  readonly isFound: boolean
}

/** The parts of a text, in order. */
export function partsOf(text: string, sought: string): readonly Part[] {
  const parts: Part[] = []
  const [within, what] = [text.toLowerCase(), sought.toLowerCase()]
  // Some letters are longer in lower case: then places do not match.
  if (what === '' || within.length !== text.length) return [{ part: text, isFound: false }]
  let at = 0
  for (let next = within.indexOf(what); next >= 0; next = within.indexOf(what, at)) {
    if (next > at) parts.push({ part: text.slice(at, next), isFound: false })
    at = next + what.length
    parts.push({ part: text.slice(next, at), isFound: true })
  }
  if (at < text.length) parts.push({ part: text.slice(at), isFound: false })
  return parts
}
