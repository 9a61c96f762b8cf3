/** Keys, host keys and configuration that ssh reads: as ssh itself understands them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { sshConfigText } from '../../../../src/cli/ssh/ssh-config.ts'
import { currentKey, keepHostKeys, sshFiles } from '../../../../src/cli/ssh/ssh-files.ts'
import { skipWithout } from '../../../sandbox/programs.ts'

const withSsh = { skip: skipWithout('ssh', '-V') }
const instance = 'i-0a1b2c3d4e5f60718'

t.test('one key for all that begin at once, and another after half an hour', withSsh, async (t) => {
  const files = sshFiles({ SALLYPORT_HOME: t.testdir() })
  const now = Date.now()
  const made = await Promise.all(Array.from({ length: 8 }, () => currentKey(files, now)))
  t.equal(new Set(made).size, 1)
  const [first = ''] = made
  t.match(first, /^AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}$/)
  const [a, b] = files.keys
  const publicOf = (file: string) => spawnSync('ssh-keygen', ['-y', '-f', file]).stdout.toString().split(' ')[1]
  t.equal(publicOf(a), first)
  t.equal(statSync(a).mode & 0o777, 0o600)
  t.equal(statSync(files.folder).mode & 0o777, 0o700)
  t.equal(await currentKey(files, now + 1_700_000), first)

  const second = await currentKey(files, now + 1_900_000)
  t.not(second, first)
  t.equal(publicOf(b), second)
  t.equal(publicOf(a), first, 'a session that begins can still read the old one')
  const old = new Date(now - 4_000_000)
  utimesSync(a, old, old)
  utimesSync(b, old, new Date(now - 3_900_000))
  const third = await currentKey(files, now)
  t.equal(publicOf(a), third, 'the older one is replaced')
})

t.test('a lock that a killed process has left is not waited for', withSsh, async (t) => {
  const files = sshFiles({ SALLYPORT_HOME: t.testdir() })
  mkdirSync(files.folder)
  const lock = path.join(files.folder, 'lock')
  writeFileSync(lock, '')
  const old = new Date(Date.now() - 60_000)
  utimesSync(lock, old, old)
  await currentKey(files, Date.now())
  t.throws(() => statSync(lock))
})

t.test('host keys of a host replace its own, and nobody else’s', async (t) => {
  const files = sshFiles({ SALLYPORT_HOME: t.testdir() })
  const others = Array.from({ length: 5 }, (_, n) => `i-0a1b2c3d4e5f6071${n}`)
  await Promise.all(others.map((host) => keepHostKeys(files, host, ['ssh-ed25519 AAAA1', 'ssh-rsa AAAA2'])))
  await keepHostKeys(files, others[0] ?? '', ['ssh-ed25519 AAAA3'])
  const lines = readFileSync(files.knownHosts, 'utf8').trim().split('\n')
  t.equal(lines.length, 9)
  t.same(
    lines.filter((line) => line.startsWith(`${others[0]} `)),
    [`${others[0]} ssh-ed25519 AAAA3`],
  )
})

t.test('ssh reads the configuration as it is meant, with blanks and percent signs in paths', withSsh, async (t) => {
  const home = path.join(t.testdir(), 'a person’s 100% home')
  mkdirSync(home)
  const files = sshFiles({ SALLYPORT_HOME: home })
  mkdirSync(files.folder)
  const program = ['/opt/no de', '/opt/100%/main.js', '--server', 'https://access.example.com']
  writeFileSync(files.config, sshConfigText(files, program, { user: 'deploy', level: 'operate' }))
  const read = spawnSync('ssh', ['-G', '-F', files.config, instance])
  t.equal(read.status, 0, String(read.stderr))
  const lines = read.stdout.toString().split('\n')
  const has = (line: string) => t.ok(lines.includes(line), `${line}\n${lines.join('\n')}`)
  has('user deploy')
  has('forwardagent no')
  has('identitiesonly yes')
  has('stricthostkeychecking true')
  has('identityagent none')
  t.match(
    read.stdout.toString(),
    /proxycommand '\/opt\/no de' \/opt\/100%%\/main\.js --server \S+ ssh-proxy --level operate --user %r %h %p/,
  )
  const other = spawnSync('ssh', ['-G', '-F', files.config, 'web.example.com'])
  t.notMatch(other.stdout.toString(), /ssh-proxy/, 'no other host')
})
