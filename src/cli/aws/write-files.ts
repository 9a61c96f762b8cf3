import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile } from '../../../proxy/local/replace-file.ts'

/** @param files their texts, by path within the folder @returns the paths that were written */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<string[]> {
  const paths: string[] = []
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await replaceFile(path, text, 0o644)
    paths.push(path)
  }
  return paths
}
