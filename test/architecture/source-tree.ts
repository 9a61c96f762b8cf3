import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface SourceFile {
  /** From the repository's root, e.g. `src/main.ts`. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
}

export interface Import {
  /** From the repository's root; undefined for a package or a module of Node. */
  readonly path: string | undefined
  readonly specifier: string
  /** All of it goes when types are stripped. */
  readonly isTypeOnly: boolean
}

/** Every TypeScript file of some folders, with all that it imports: statically, lazily, for types, or by declaration merging. */
export function readSources(folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => readSource(relative(root, join(entry.parentPath, entry.name)))),
  )
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, lines: text.trimEnd().split('\n').length, imports: importsOf(text, path) }
}

/** Code as Biome formats it: single quotes, one statement a line, comments on lines of their own or behind code. */
export function importsOf(text: string, path: string): Import[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
  return [...code.matchAll(importing)].map(([statement, from, lazily, merged]) => {
    const specifier = from ?? lazily ?? merged ?? ''
    return {
      path: specifier.startsWith('.') ? join(dirname(path), specifier) : undefined,
      specifier,
      isTypeOnly: merged !== undefined || /^(?:import|export) type\b/.test(statement),
    }
  })
}

const importing =
  /^(?:import|export)\b(?:[^'"=]*?\bfrom)?\s*'([^'\n]+)'|\bimport\('([^'\n]+)'\)|^declare module '([^'\n]+)'/gm

/** Groups of files that reach each other by imports (Tarjan's strongly connected components), each sorted. */
export function findCircles(files: readonly SourceFile[]): string[][] {
  const importsByPath = new Map(files.map((file) => [file.path, file.imports]))
  const order = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []

  const visit = (path: string): number => {
    const own = order.size
    let low = own
    order.set(path, own)
    stack.push(path)
    const imports = importsByPath.get(path) ?? []
    for (const { path: next } of imports) {
      if (next === undefined || !importsByPath.has(next)) continue
      if (!order.has(next)) low = Math.min(low, visit(next))
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? low)
    }
    if (low === own) {
      const circle = stack.splice(stack.indexOf(path))
      if (circle.length > 1 || imports.some(({ path: next }) => next === path)) circles.push(circle.sort())
    }
    return low
  }

  for (const { path } of files) if (!order.has(path)) visit(path)
  return circles
}
