/** Field selectors, as far as they name one object (apimachinery, pkg/fields/selector.go). */

/** The name that a selector asks for, `metadata.name=NAME`; empty: none, or one that is no name. */
export function fieldSelectorName(selector: string): string {
  for (const term of splitTerms(selector)) {
    const parts = /^metadata\.name==?(?!=)(.*)$/su.exec(term)
    const name = parts && unescapeValue(parts[1] ?? '')
    if (name !== null && name !== undefined) return isPathSegment(name) ? name : ''
  }
  return ''
}

/** At each comma that has no backslash before it. */
function splitTerms(selector: string): string[] {
  const terms: string[] = []
  let from = 0
  for (let at = 0; at < selector.length; at += 1) {
    if (selector[at] === '\\') at += 1
    else if (selector[at] === ',') {
      terms.push(selector.slice(from, at))
      from = at + 1
    }
  }
  return [...terms, selector.slice(from)]
}

/** Null: the server refuses such a selector. */
function unescapeValue(value: string): string | null {
  return /^(?:[^\\,=]|\\[\\,=])*$/su.test(value) ? value.replace(/\\(.)/gsu, '$1') : null
}

function isPathSegment(name: string): boolean {
  return name !== '.' && name !== '..' && !/[/%]/.test(name)
}
