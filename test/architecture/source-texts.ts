import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')

export interface SourceText {
  /** From the repository's root, e.g. `src/main.ts`. */
  readonly path: string
  /** Without lines that are comments. */
  readonly code: string
}

/** Every TypeScript file below these folders of the repository. */
export function readSourceTexts(...folders: readonly string[]): SourceText[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => {
        const file = join(entry.parentPath, entry.name)
        const code = readFileSync(file, 'utf8').replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
        return { path: relative(root, file), code }
      }),
  )
}
