import { writeFileSync } from 'node:fs'
import { documents } from './documents.ts'

for (const [path, render] of Object.entries(documents))
  writeFileSync(new URL(`../../${path}`, import.meta.url), await render())
