/** IAM's pattern: `*` any run of characters, `?` exactly one. Linear in practice, no regular expression from policy text. */
export function matchesWildcard(pattern: string, text: string): boolean {
  let p = 0
  let s = 0
  let star = -1
  let mark = 0
  while (s < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = s
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[s])) {
      p += 1
      s += 1
    } else if (star >= 0) {
      p = star + 1
      s = ++mark
    } else return false
  }
  while (pattern[p] === '*') p += 1
  return p === pattern.length
}

/** Compares six colon-separated parts, each with wildcards; the sixth is the rest, colons and all. */
export function matchesArn(pattern: string, arn: string): boolean {
  if (pattern === '*') return true
  const parts = splitArn(arn)
  return splitArn(pattern).every((part, index) => {
    const text = parts[index]
    return text !== undefined && matchesWildcard(part, text)
  })
}

function splitArn(arn: string): string[] {
  const parts = arn.split(':')
  return [...parts.slice(0, 5), parts.slice(5).join(':')]
}
