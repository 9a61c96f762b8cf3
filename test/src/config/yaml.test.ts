import t from 'tap'
import { readYaml } from '../../../src/config/read-yaml.ts'
import { load, minimal, problemsOf } from './load-text.ts'

t.test('a duplicate key is a problem, at the second one', async (t) => {
  t.same(await problemsOf(t, `${minimal}  client_id: other\n`), ['7:3 : this key appears twice; keep one of the two'])
})

t.test('YAML mistakes come with a place and a fix, several at once', async (t) => {
  const of = async (text: string) => await problemsOf(t, text)
  t.same(await of('a:\n\tb: 1\n'), ['2:1 : a tab is used as indentation; indent with spaces'])
  t.match(await of('a: [1, 2\nb: 3\n'), [/^2:1 : (the indentation or a bracket is wrong|a closing bracket)/])
  t.match(await of('a: "open\n'), [/a closing bracket, quote or colon is missing; add it/])
  t.match(await of('a: b: c\n'), [/the line has a second ": "/])
  t.match(await of('a: @b\n'), [/^1:4 : a plain value cannot begin with this character/])
  t.match(await of('a: "\\q"\n'), [/this is not a valid escape in double quotes/])
  t.match(await of(`${minimal}---\n${minimal}`), [/the file has several documents/])
  t.match(await of('a: !secret b\n'), [/^1:4 : tags such as !foo are not supported; remove the tag/])
  t.match(await of('? [a, b]\n: c\n'), [/^1:3 : a key must be text/])
  t.equal((await of('a: @b\nc: @d\n')).length, 2)
  t.equal((await of('a: @b\n'.repeat(500))).length, 20, 'the first twenty of a file that is no YAML at all')
})

t.test('aliases are refused, so a bomb of them costs nothing', async (t) => {
  const bomb = [
    'a: &a [x, x]',
    ...'bcdefghij'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefghi'[i]}, `.repeat(9)}]`),
  ]
  const started = performance.now()
  const problems = await problemsOf(t, bomb.join('\n'))
  t.ok(performance.now() - started < 2000)
  t.equal(problems.length, 20)
  t.match(problems[0], /^2:8 b\[0\]: aliases \(\*name\) are not allowed; write the value out/)
  t.match(await problemsOf(t, `${minimal}x: &x { a: 1 }\ny: { <<: *x }\n`), [/^8:10 y\["<<"\]: aliases/])
  t.match(await problemsOf(t, 'a: *nowhere\n'), [/1:4/])
})

t.test('nesting is limited, whatever the size', async (t) => {
  const deep = (depth: number) =>
    `${minimal}levels: [{ for: {}, x: { y: ${'['.repeat(depth)}${']'.repeat(depth)} } }]\n`
  t.ok((await load(t, deep(50))).ok)
  t.match(await problemsOf(t, deep(70)), [/the file is nested too deeply; use at most 64 levels/])
  t.match(await problemsOf(t, deep(40_000)), [/the file is nested too deeply/])
  t.match(await problemsOf(t, '[ '.repeat(40_000)), [/the file is nested too deeply/])
  t.match(await problemsOf(t, '- '.repeat(40_000)), [/the file is nested too deeply/])
  t.match(await problemsOf(t, `${'{a: '.repeat(20_000)}`), [/the file is nested too deeply/])
})

t.test('where every value and key is', (t) => {
  const read = readYaml('a:\n  b: [1, 0x10]\n"c d": "é"\n')
  if (!read.ok) throw new Error('expected valid YAML')
  const a = read.root.children.get('a')
  t.match(a?.keyAt, { line: 1, column: 1 })
  t.match(a?.children.get('b'), { at: { line: 2, column: 6 }, keyAt: { line: 2, column: 3 } })
  t.match(a?.children.get('b')?.children.get(1), { at: { line: 2, column: 10 }, value: 16, source: '0x10' })
  t.match(read.root.children.get('c d'), { at: { line: 3, column: 8 }, value: 'é' })
  t.same(read.root.value, { a: { b: [1, 16] }, 'c d': 'é' })
  t.end()
})

t.test('words of YAML 1.1 and odd names stay what they are', async (t) => {
  const read = readYaml(
    'yes: no\n111122223333: { on: 1 }\n__proto__: { polluted: true }\nempty:\nbig: 12345678901234567890\n',
  )
  if (!read.ok) throw new Error('expected valid YAML')
  t.equal(read.root.children.get('yes')?.value, 'no')
  t.same(read.root.children.get('111122223333')?.value, { on: 1 })
  t.equal(Reflect.get({}, 'polluted'), undefined)
  t.match(await problemsOf(t, `${minimal}__proto__: { a: 1 }\n`), [/^7:1 __proto__: unknown key "__proto__"/])
  t.match(await problemsOf(t, `${minimal}limits: { sessions: 12345678901234567890 }\n`), [
    /expected a whole number from 1, got 12345678901234567890/,
  ])
})
