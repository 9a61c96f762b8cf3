import type { KubernetesObject } from './objects.ts'

/** By the query's `labelSelector`, and its `fieldSelector` where that asks for name or namespace. */
export function isSelected({ metadata }: KubernetesObject, query: URLSearchParams): boolean {
  const labels = metadata.labels ?? {}
  const fields = { 'metadata.name': metadata.name, 'metadata.namespace': metadata.namespace ?? '' }
  const known = (requirement: string) => /^metadata\.name(?:space)?[=!]/.test(requirement)
  return (
    split(query.get('labelSelector')).every((one) => fits(labels, one)) &&
    split(query.get('fieldSelector'))
      .filter(known)
      .every((one) => fits(fields, one))
  )
}

/** At commas outside of parentheses. */
function split(selector: string | null): string[] {
  return (selector ?? '').match(/(?:[^,(]|\([^)]*\))+/g) ?? []
}

/** `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a` */
function fits(labels: Readonly<Record<string, string>>, requirement: string): boolean {
  const [, key = '', isNot, values = ''] = /^\s*(\S+)\s+(not)?in\s*\(([^)]*)\)\s*$/.exec(requirement) ?? []
  if (key !== '') {
    const isIn = values.split(',').some((value) => labels[key] === value.trim())
    return isNot === undefined ? isIn : !isIn
  }
  const [, name = '', operator = '', value = ''] = /^\s*([^!=\s]+)\s*(!=|==?)\s*(.*?)\s*$/.exec(requirement) ?? []
  if (operator !== '') return (labels[name] === value) === (operator !== '!=')
  const asked = requirement.trim()
  return asked.startsWith('!') ? labels[asked.slice(1)] === undefined : labels[asked] !== undefined
}
