/** Archives of the system's own tar, in its forms, and what is none. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { type ArchivedFile, TarHeaders } from '../../../../proxy/wire/tar/headers.ts'
import fc from '../../../fast-check.ts'

function read(archive: Buffer, step: number): string[] {
  const found: ArchivedFile[] = []
  const headers = new TarHeaders((file) => void found.push(file))
  for (let at = 0; at < archive.length; at += step) headers.scan(archive.subarray(at, at + step))
  return found.map(({ path, size, isFile }) => (isFile ? `${path} ${size}` : path))
}

const long = `${'deep/'.repeat(30)}file-${'x'.repeat(110)}`

for (const format of ['ustar', 'gnu', 'pax'])
  t.test(`${format}: names and sizes, in whatever pieces`, async (t) => {
    const dir = t.testdir({ some: { empty: '', one: 'x', two: 'y'.repeat(1025) } })
    const names = format === 'ustar' ? [] : [long, 'Zürich']
    mkdirSync(`${dir}/some/${'deep/'.repeat(30)}`, { recursive: true })
    for (const name of names) writeFileSync(`${dir}/some/${name}`, 'long')
    const wanted = ['some/one', 'some/empty', 'some/two', ...names.map((name) => `some/${name}`)]
    const archive = execFileSync('tar', ['cf', '-', `--format=${format}`, '-C', dir, ...wanted])
    const expected = ['some/one 1', 'some/empty 0', 'some/two 1025', ...names.map((name) => `some/${name} 4`)]
    for (const step of [1, 511, 10_000]) t.same(read(archive, step), expected, `${step} at a time`)
    t.same(read(execFileSync('tar', ['cf', '-', `--format=${format}`, '-C', dir, '--no-recursion', 'some']), 100), [
      'some/',
    ])
  })

/** POSIX.1-2017, ustar: name, mode, owner, group, size, time, sum, form, …, magic. */
function header(name: string, size: number, form: string): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0)
  block.write(size.toString(8).padStart(11, '0'), 124)
  block.write(form, 156)
  block.write('ustar', 257)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

for (const form of ['L', 'x'])
  t.test(`an empty name of form ${form} belongs to no file, and takes none of a later one`, async (t) => {
    const archive = Buffer.concat([
      header('nothing', 0, form),
      header('first', 1, '0'),
      Buffer.alloc(512, 'a'),
      header('second', 0, '0'),
    ])
    for (const step of [1, 512, 10_000]) t.same(read(archive, step), ['first 1', 'second 0'], `${step} at a time`)
  })

t.test('what is no archive tells nothing, and nothing is thrown', async (t) => {
  t.same(read(Buffer.alloc(2048), 512), [])
  t.same(read(Buffer.from('some text '.repeat(200)), 100), [])
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 512, maxLength: 1500 }),
      (bytes) => read(Buffer.from(bytes), 700).length === 0,
    ),
  )
})
