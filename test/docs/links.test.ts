import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.resolve(import.meta.dirname, '../..')
const pages = globSync(['*.md', '{config,deploy,docs,proxy,src,test}/**/*.md'], { cwd: root }).sort()

t.test('every link between pages of the repository leads somewhere', async (t) => {
  t.ok(pages.length > 20)
  for (const page of pages)
    for (const [, target = ''] of readFileSync(path.join(root, page), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g))
      t.ok(existsSync(path.join(root, path.dirname(page), target)), `${page}: ${target}`)
})

t.test('every decision is listed once, in the order of its number', async (t) => {
  const decisions = globSync('docs/decisions/[0-9]*.md', { cwd: root }).map((file) => path.basename(file))
  const index = readFileSync(path.join(root, 'docs/decisions/README.md'), 'utf8')
  const listed = [...index.matchAll(/\]\((\d{4}-[^)]+)\)/g)].map(([, file]) => file)
  t.same(listed, decisions.sort())
})

t.test('each top folder says what belongs there', async (t) => {
  for (const folder of ['config', 'deploy', 'docs', 'proxy', 'src', 'test'])
    t.match(readFileSync(path.join(root, folder, 'README.md'), 'utf8'), /What does not belong here/, folder)
})
