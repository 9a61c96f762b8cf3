/** `*` stands for any characters, `?` for one; without backtracking that grows with the pattern's stars. */
export function fitsPattern(pattern: string, text: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0]
  while (from < text.length) {
    if (pattern[at] === '*') [star, mark, at] = [at, from, at + 1]
    else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[from])) [at, from] = [at + 1, from + 1]
    else if (star >= 0) [at, mark, from] = [star + 1, mark + 1, mark + 1]
    else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
