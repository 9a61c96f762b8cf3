import { replaceFile } from '../../../proxy/local/replace-file.ts'
import { shellWord } from '../../../proxy/local/shell-quote.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printLine } from '../output.ts'
import { currentKey, type SshFiles, sshFiles } from './ssh-files.ts'

export interface SshConfigOptions {
  readonly user?: string
  readonly level?: string
}

/** `sallyport ssh-config`: writes the file, and says how it is included. The person's own configuration is left alone. */
export async function sshConfig(server: { server?: string }, options: SshConfigOptions): Promise<number> {
  for (const [name, value] of Object.entries(options))
    if (!/^[A-Za-z0-9_.@-]{1,64}$/.test(value ?? ''))
      throw new BrokerError('INVALID_INPUT', `--${name}: expected letters, digits and _.@-`)
  const api = await openApiClient(server)
  const files = sshFiles(process.env)
  await currentKey(files, Date.now())
  const program = [process.execPath, process.argv[1] ?? 'sallyport', '--server', api.server]
  await replaceFile(files.config, sshConfigText(files, program, options), 0o600)
  printLine(`Include ${quoted(files.config)}`)
  process.stderr.write('Add this line to the top of ~/.ssh/config; then: ssh USER@i-…\n')
  return exitCodes.done
}

/**
 * Agents, passwords and other keys of the person take no part, and host keys are only those that the broker has said.
 * @param program words that run this one
 */
export function sshConfigText(files: SshFiles, program: readonly string[], { user, level }: SshConfigOptions): string {
  const command = [...program, 'ssh-proxy', ...(level === undefined ? [] : ['--level', level])].map(shellWord)
  const lines = [
    'Host i-*',
    `  ProxyCommand ${command.join(' ').replaceAll('%', '%%')} --user %r %h %p`,
    ...(user === undefined ? [] : [`  User ${user}`]),
    ...files.keys.map((path) => `  IdentityFile ${quoted(path.replaceAll('%', '%%'))}`),
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    '  PreferredAuthentications publickey',
    '  ForwardAgent no',
    '  ForwardX11 no',
    '  StrictHostKeyChecking yes',
    `  UserKnownHostsFile ${quoted(files.knownHosts.replaceAll('%', '%%'))}`,
    '  GlobalKnownHostsFile /dev/null',
    '  UpdateHostKeys no',
    '  CheckHostIP no',
  ]
  return `# Written by \`sallyport ssh-config\`, which replaces it.\n${lines.join('\n')}\n`
}

/** As ssh_config has it: there is no way to write a quote in quotes. */
function quoted(path: string): string {
  return `"${path}"`
}
