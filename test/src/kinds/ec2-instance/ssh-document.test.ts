/** The command that puts in the key of an SSH session, run by this machine's `sh` in a home of the test's own. */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { sshDocument } from '../../../../src/kinds/ec2-instance/ssh-document.ts'
import { waitUntil } from '../../../wait-until.ts'

const key = `AAAAC3NzaC1lZDI1NTE5AAAAI${'x'.repeat(43)}`
const session = (n: number) => `ses_${String(n).padStart(26, '0')}`
const { commands } = (sshDocument('deploy') as { properties: { linux: { commands: string } } }).properties.linux
/** What comes behind `sh -c`: agents run that program themselves. */
const script = commands.slice("sh -c '".length, -1).replaceAll("'\\''", "'")
const others = 'ssh-rsa AAAAB3Nza me@laptop\n# a remark\ncommand="date" ssh-ed25519 AAAAC3 backup # sallyport'

function machine(t: Test, version = 'OpenSSH_9.2p1 Debian-2+deb12u5, OpenSSL 3.0.17') {
  const root = t.testdir()
  const [home, bin, etc] = ['home', 'bin', 'etc/ssh'].map((one) => path.join(root, one)) as [string, string, string]
  for (const folder of [home, bin, etc]) mkdirSync(folder, { recursive: true })
  const install = (name: string, text: string) => {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(path.join(bin, name), 0o755)
  }
  install('getent', `echo "$2:x:1:1::${home}:/bin/sh"`)
  install('sshd', `echo "unknown option -- V" >&2; echo "${version}" >&2; exit 1`)
  writeFileSync(path.join(etc, 'ssh_host_ed25519_key.pub'), 'ssh-ed25519 AAAAhost root@instance\n')
  const keys = path.join(home, '.ssh/authorized_keys')
  const run = (n: number, mode = 'restricted') => {
    const values: Record<string, string> = { session: session(n), key, mode }
    const text = script
      .replaceAll(/\{\{ (\w+) \}\}/g, (_, name: string) => values[name] ?? '')
      .replaceAll(' /etc/', ` ${root}/etc/`)
    const child = spawn('sh', ['-c', text], { env: { PATH: `${bin}:${process.env.PATH}`, HOME: '/nowhere' } })
    t.teardown(() => void child.kill('SIGKILL'))
    let shown = ''
    let code: number | null | undefined
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (shown += data))
    child.once('exit', (exit) => {
      code = exit
    })
    return {
      shows: (text: string) =>
        waitUntil(
          () => shown.includes(text),
          () => `${text} in ${shown}`,
        ),
      interrupt: () => child.kill('SIGINT'),
      ends: async () => {
        await waitUntil(
          () => code !== undefined,
          () => `it ends: ${shown}`,
        )
        return { code, shown }
      },
    }
  }
  return { root, home, keys, run, read: () => (existsSync(keys) ? readFileSync(keys, 'utf8') : '') }
}

t.test('agents split the command into words as a shell does, and run the first one', async (t) => {
  const words = execFileSync('python3', [
    '-c',
    'import json, shlex, sys; print(json.dumps(shlex.split(sys.argv[1])))',
    commands,
  ])
  const [program, option, text, ...more] = JSON.parse(String(words))
  t.same([program, option, more], ['sh', '-c', []])
  t.equal(text, script)
  t.match(script, /^umask 077\n[\s\S]*wait "\$waiting"\n$/)
})

t.test('puts the key in for a minute, and removes it when it is interrupted', async (t) => {
  const { keys, home, run, read } = machine(t)
  const before = Math.floor(Date.now() / 1000)
  const one = run(1)
  await one.shows('sallyport ready\n')
  const [, digits = ''] =
    new RegExp(
      `^restrict,pty,expiry-time="([0-9]{14})" ssh-ed25519 ${key.replaceAll('+', '\\+')} sallyport-${session(1)}\n$`,
    ).exec(read()) ?? []
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)(..)(..)(..)$/.exec(digits)?.map(Number) ?? []
  const expires = new Date(Number(year), Number(month) - 1, day, hour, minute, second).getTime() / 1000
  t.ok(expires >= before + 60 && expires <= before + 75, `${digits} is in a minute`)
  t.equal(statSync(keys).mode & 0o777, 0o600)
  t.equal(statSync(path.dirname(keys)).mode & 0o777, 0o700)
  one.interrupt()
  const { shown } = await one.ends()
  t.equal(shown, 'sallyport host ssh-ed25519 AAAAhost\nsallyport ready\nsallyport removed\n')
  t.equal(read(), '')
  t.same(readdirSync(path.join(home, '.ssh')), ['authorized_keys'], 'nothing else is left')
})

t.test('leaves the keys of others, and of other sessions, as they are', async (t) => {
  const { keys, run, read } = machine(t)
  mkdirSync(path.dirname(keys))
  writeFileSync(keys, others) // without a line end
  const [one, two] = [run(1), run(2, 'full')]
  for (const ran of [one, two]) await ran.shows('sallyport ready')
  const lines = read().split('\n')
  t.equal(lines.length, 6)
  t.ok(read().startsWith(`${others}\n`))
  t.match(
    read(),
    new RegExp(`\\nexpiry-time="[0-9]{14}" ssh-ed25519 \\S+ sallyport-${session(2)}\\n`),
    'full: no restriction',
  )
  one.interrupt()
  await one.ends()
  t.notMatch(read(), session(1))
  t.match(read(), session(2))
  two.interrupt()
  await two.ends()
  t.equal(read(), `${others}\n`)
})

t.test('what an instance that was switched off has kept goes with the next key', async (t) => {
  const { keys, run, read } = machine(t)
  const kept = (n: number, expires: string) =>
    `restrict,pty,expiry-time="${expires}" ssh-ed25519 AAAA sallyport-${session(n)}\n`
  mkdirSync(path.dirname(keys))
  writeFileSync(keys, `${kept(8, '20200101000000')}${kept(9, '29990101000000')}`)
  const one = run(1)
  await one.shows('sallyport ready')
  t.notMatch(read(), session(8))
  t.match(read(), session(9))
  one.interrupt()
  await one.ends()
})

for (const [version, why] of [
  ['OpenSSH_7.6p1, OpenSSL 1.0.2', 'OpenSSH 7.6 knows no keys that expire'],
  ['OpenSSH_6.9p1', 'OpenSSH 6.9 knows no keys that expire'],
  ['dropbear v2022.83', 'there is no OpenSSH server'],
] as const)
  t.test(`refused: ${version}`, async (t) => {
    const { run, read } = machine(t, version)
    t.match(await run(1).ends(), { code: 3, shown: `sallyport refused ${why}\n` })
    t.equal(read(), '')
  })

for (const version of ['OpenSSH_7.7p1', 'OpenSSH_8.0p1', 'OpenSSH_10.0p2'])
  t.test(`taken: ${version}`, async (t) => {
    const one = machine(t, version).run(1)
    await one.shows('sallyport ready')
    one.interrupt()
    await one.ends()
  })
