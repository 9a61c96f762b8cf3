import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { documents } from './documents.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
for (const [name, render] of Object.entries(documents)) {
  const file = path.join(root, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, await render())
}
