/** A real OpenSSH server as that of an instance, which has a home and host keys of its own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { spawnGuarded } from '../guarded-process.ts'
import { freePort } from '../ports.ts'
import { whenReady } from '../server-process.ts'

const program = '/usr/sbin/sshd'

export interface Sshd {
  readonly port: number
  /** Folder of the instance, for `Instance.root`. */
  readonly root: string
  /** Of the user whose keys are put in: whoever runs this. */
  readonly home: string
  readonly user: string
  authorizedKeys(): string
  /** Whose version it says it is, from now on; by default its own. */
  pretend(version: string): void
  close(): Promise<void>
}

/** Why there is none on this machine, or false. @throws Error in CI, where everything has to be there */
export function skipWithoutSshd(): string | false {
  const missing = [program, '/usr/bin/ssh', '/usr/bin/scp', '/usr/bin/sftp', '/usr/bin/rsync'].find(
    (one) => !existsSync(one),
  )
  if (missing === undefined) return false
  if (process.env.CI === 'true') throw new Error(`${missing} is not installed, and CI must have it`)
  return `${missing} is not installed`
}

export async function startSshd(): Promise<Sshd> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'sallyport-sshd-'))
  const [home, bin, etc] = [path.join(root, 'home'), path.join(root, 'bin'), path.join(root, 'etc/ssh')]
  for (const folder of [home, bin, etc]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const user = os.userInfo().username
  // The home that the instance knows of the user, not that of this machine.
  const script = (name: string, text: string) => {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(path.join(bin, name), 0o755)
  }
  script('getent', `echo "$2:x:${process.getuid?.()}:${process.getgid?.()}::${home}:/bin/sh"`)
  const hostKey = path.join(etc, 'ssh_host_ed25519_key')
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'instance', '-f', hostKey])
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`)
  const keys = path.join(home, '.ssh/authorized_keys')
  const port = await freePort()
  const config = path.join(root, 'sshd_config')
  writeFileSync(
    config,
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${hostKey}`,
      `PidFile ${path.join(root, 'sshd.pid')}`,
      `AuthorizedKeysFile ${keys}`,
      'StrictModes no', // the folder is in that for temporary files
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'MaxStartups 100',
      'Subsystem sftp internal-sftp',
    ].join('\n'),
  )
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const server = await spawnGuarded({
    command: program,
    args: ['-D', '-e', '-f', config],
    stopSignal: 'TERM',
    remove: root,
  })
  await whenReady(server, 'sshd', /Server listening/)
  return {
    port,
    root,
    home,
    user,
    authorizedKeys: () => (existsSync(keys) ? readFileSync(keys, 'utf8') : ''),
    pretend: (version) => script('sshd', `echo "${version}" >&2; exit 1`),
    close: async () => void (await server.stop()),
  }
}
