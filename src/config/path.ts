/** Where a value is in the configuration: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** e.g. `resources[2].tags["a.b"]` */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    if (!/^[\w:/-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}

/** The reverse of {@link formatPath}; unreadable parts are skipped, so that a position is still found for the rest. */
export function parsePath(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(([, index, quoted, plain]) => {
    if (index !== undefined) return Number(index)
    return quoted === undefined ? (plain ?? '') : unquote(quoted)
  })
}

/** A feature may have added a name to its path without quoting it, so it need not be JSON. */
function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted
  }
}
