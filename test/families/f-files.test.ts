/** What `sallyport` does to files on the machine of a person: F5 which of them, F6 what of them. */
import { execFile } from 'node:child_process'
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { fromByteText, toByteText } from '../../proxy/local/file-lines.ts'
import { addToPgpass } from '../../proxy/local/postgres/pgpass.ts'
import { readIfThere, removeFile, replaceFile, unlinkFile } from '../../proxy/local/replace-file.ts'
import { withProfiles } from '../../src/cli/aws/configure.ts'
import { readLoginFile, writeLoginFile } from '../../src/cli/login/login-file.ts'
import { openTerminal } from '../src/cli/run-cli.ts'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0
const needsRoot = isRoot ? false : 'needs root'
const entry = { host: '127.0.0.1', port: 6432, user: 'sallyport', password: 'secret' }
const line = '127.0.0.1:6432:*:sallyport:secret\n'
const login = { version: 1, current: null, servers: {} } as const

/** One of each thing that is no regular file. */
async function oddThings(t: Test): Promise<[name: string, path: string][]> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-')) // short, for the socket
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'folder'))
  await run('mkfifo', [join(dir, 'fifo')])
  const server = createServer().listen(join(dir, 'socket'))
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  symlinkSync(join(dir, 'fifo'), join(dir, 'link'))
  if (isRoot) {
    await run('mknod', [join(dir, 'null'), 'c', '1', '3'])
    await run('mknod', [join(dir, 'zero'), 'c', '1', '5'])
  }
  return [
    ['a folder', join(dir, 'folder')],
    ['a FIFO', join(dir, 'fifo')],
    ['a FIFO', join(dir, 'link')],
    ['a socket', join(dir, 'socket')],
    ...(isRoot ? ['null', 'zero'].map((name): [string, string] => ['a device', join(dir, name)]) : []),
  ]
}

t.test('F5: what is no regular file is refused by name, by every caller, and stays', async (t) => {
  for (const [name, path] of await oddThings(t)) {
    const before = statSync(path)
    const refused = { code: 'CONFIG_INVALID', message: new RegExp(`is ${name}, not a regular file`) }
    await t.rejects(addToPgpass(path, [entry]), refused, `pgpass: ${path}`)
    await t.rejects(writeLoginFile(path, login), refused, `login: ${path}`)
    await t.rejects(replaceFile(path, 'x', 0o600), refused)
    await t.rejects(removeFile(path), refused)
    if (!lstatSync(path).isSymbolicLink()) await t.rejects(unlinkFile(path), refused, `token file: ${path}`)
    if (!path.endsWith('null')) await t.rejects(readLoginFile(path), refused)
    t.match(statSync(path), { ino: before.ino, mode: before.mode, rdev: before.rdev })
  }
})

t.test('F5: the command line says so, and waits for no FIFO', async (t) => {
  const dir = t.testdir({})
  await run('mkfifo', [join(dir, 'fifo')])
  const terminal = openTerminal(t, null, { AWS_CONFIG_FILE: join(dir, 'fifo') })
  const { code, stderr } = await terminal.run('aws', 'configure', '--remove')
  t.not(code, 0)
  t.match(stderr, /fifo is a FIFO, not a regular file[\s\S]*Name another file/)
})

t.test('F5: the null device is empty, by any name', async (t) => {
  t.equal((await readIfThere('/dev/null'))?.length, 0)
  if (!isRoot) return
  const path = join(t.testdir({}), 'copy')
  await run('mknod', [path, 'c', '1', '3'])
  t.equal((await readIfThere(path))?.length, 0)
})

t.test('F5: links stay, also one to a file that is not there yet', async (t) => {
  const dir = t.testdir({ real: {} })
  symlinkSync('real', join(dir, 'folder'))
  symlinkSync('../real/pgpass', join(dir, 'real', 'hop'))
  symlinkSync('folder/hop', join(dir, 'link'))
  const remove = await addToPgpass(join(dir, 'link'), [entry])
  t.equal(readlinkSync(join(dir, 'link')), 'folder/hop')
  t.equal(readFileSync(join(dir, 'real', 'pgpass'), 'utf8'), line)
  await remove()
  t.equal(readFileSync(join(dir, 'link'), 'utf8'), '', 'emptied, so that the link leads somewhere')
  await writeLoginFile(join(dir, 'link'), login)
  t.match(readFileSync(join(dir, 'real', 'pgpass'), 'utf8'), /"version": 1/)
  symlinkSync('round', join(dir, 'round'))
  await t.rejects(replaceFile(join(dir, 'round'), 'x', 0o600), { message: /too many symbolic links/ })
  await unlinkFile(join(dir, 'link'))
  t.ok(existsSync(join(dir, 'real', 'pgpass')), 'a token file that is a link loses the link alone')
})

t.test('F5: the owner stays', { skip: needsRoot }, async (t) => {
  const path = join(t.testdir({ pgpass: 'h:1:d:u:p\n' }), 'pgpass')
  chownSync(path, 1234, 2345)
  await addToPgpass(path, [entry])
  t.match(statSync(path), { uid: 1234, gid: 2345 })
  t.equal(statSync(path).mode & 0o777, 0o600)
})

t.test('F5: a single file that is mounted is written in place', { skip: needsRoot }, async (t) => {
  const dir = t.testdir({ outside: 'h:1:d:u:p\n', inside: '' })
  const module = new URL('../../proxy/local/postgres/pgpass.ts', import.meta.url)
  const script = `
    const { addToPgpass } = await import(${JSON.stringify(module.href)})
    const { readFileSync } = await import('node:fs')
    const remove = await addToPgpass(process.argv[1], [${JSON.stringify(entry)}])
    console.log(JSON.stringify(readFileSync(process.argv[2], 'utf8')))
    await remove()`
  const shell = 'mount --bind "$1" "$2" && exec "$3" --input-type=module -e "$4" "$2" "$1"'
  const args = [join(dir, 'outside'), join(dir, 'inside'), process.execPath, script]
  const ran = await run('unshare', ['-m', 'sh', '-c', shell, 'sh', ...args]).catch(
    (error: { stderr?: string }) => error,
  )
  if (/Operation not permitted|permission denied/i.test(ran.stderr ?? '')) {
    t.pass('no mounts here')
    return
  }
  t.match(ran, { stdout: `${JSON.stringify(`${line}h:1:d:u:p\n`)}\n` })
  t.equal(readFileSync(join(dir, 'outside'), 'utf8'), 'h:1:d:u:p\n')
})

t.test('F5: nothing is left beside a file that could not be replaced', async (t) => {
  const dir = t.testdir({})
  mkdirSync(join(dir, 'd'))
  await t.rejects(replaceFile(join(dir, 'd'), 'x', 0o600))
  t.same((await run('ls', [dir])).stdout, 'd\n')
  writeFileSync(join(dir, 'a'), 'a')
  linkSync(join(dir, 'a'), join(dir, 'b'))
  await replaceFile(join(dir, 'a'), 'c', 0o600)
  t.equal(readFileSync(join(dir, 'a'), 'utf8'), 'c')
})

const foreign: Readonly<Record<string, Buffer>> = {
  'Latin-1': Buffer.from([0x68, 0x3a, 0x31, 0x3a, 0x64, 0x3a, 0xe9, 0x3a, 0xff, 0x0a]),
  'CRLF and trailing blanks': Buffer.from('# note \t\r\nh:1:d:u:p \r\n\r\n  \r\n'),
  'no line end at the end': Buffer.from('h:1:d:u:p'),
  'a byte order mark': Buffer.from('\ufeffh:1:d:u:p\n'),
  'a NUL and a lone CR': Buffer.from('h:1\0:d\r:u:p\n'),
  'U+2028 and U+0085': Buffer.from('h:1:d:u\u2028:p\u0085\n'),
  'every byte': Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
}

t.test('F6: lines of others in pgpass are bytes, and stay as they were', async (t) => {
  for (const [name, bytes] of Object.entries(foreign)) {
    const path = join(t.testdir({}), 'pgpass')
    writeFileSync(path, bytes)
    const remove = await addToPgpass(path, [entry])
    t.same(readFileSync(path), Buffer.concat([Buffer.from(line), bytes]), name)
    await remove()
    t.same(readFileSync(path), bytes, `${name}, afterwards`)
  }
})

t.test('F6: our lines in pgpass are found though an editor changed their ends', async (t) => {
  const path = join(t.testdir({}), 'pgpass')
  const remove = await addToPgpass(path, [{ ...entry, user: 'zoë' }])
  const text = readFileSync(path, 'utf8').replace('\n', ' \r\n')
  writeFileSync(path, `${text}h:1:d:u:p\r\n`)
  await remove()
  t.equal(readFileSync(path, 'utf8'), 'h:1:d:u:p\r\n')
})

t.test('F6: the same for the config file of AWS, whose markers are found with either line end', (t) => {
  const profiles = (name: string) => [{ name, resource: 'r', level: 'l', command: 'c é' }]
  for (const [name, bytes] of Object.entries(foreign)) {
    const before = toByteText(bytes)
    const once = withProfiles(before, profiles('a'))
    t.ok(once.startsWith(before), name)
    const endings = [once, once.replaceAll(/\r?\n/g, '\r\n'), once.replaceAll(/\r?\n/g, ' \t\n')]
    for (const [at, text] of endings.entries()) {
      const again = withProfiles(text, profiles('b'))
      t.equal(again.split('# begin of what').length, 2, 'our part is replaced, not added')
      t.notMatch(again, /profile a]/)
      const removed = withProfiles(again, [])
      if (at === 0) t.equal(removed.replace(/\r?\n$/, ''), before.replace(/\r?\n$/, ''), `${name}, afterwards`)
    }
  }
  const crlf = '[default]\r\nregion = x\r\n'
  t.match(withProfiles(crlf, profiles('a')), /^(?:[^\n]*\r\n)+$/, 'in the line ends of the file')
  t.equal(withProfiles(withProfiles(crlf, profiles('a')), []), crlf)
  t.match(fromByteText(withProfiles('', profiles('a'))).toString(), /c é/, 'ours are UTF-8')
  const taken = toByteText(Buffer.from('\ufeff[profile é]\n'))
  t.throws(() => withProfiles(taken, profiles('é')), { message: /é already exists/ })
  t.end()
})
