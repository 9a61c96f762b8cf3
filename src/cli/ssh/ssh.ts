import type { Register } from '../cli.ts'
import { toPort } from '../connect/connect.ts'

export const registerSsh: Register = (program) => {
  program
    .command('ssh-config')
    .description('write a file for your ssh_config, by which ssh, scp, sftp and rsync reach instances by their ids')
    .option('--user <name>', 'user to sign in as, as the access level says (default: as ssh is told)')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .action(async (options: { user?: string; level?: string }) => {
      const { sshConfig } = await import('./ssh-config.ts')
      process.exitCode = await sshConfig(program.opts(), options)
    })
  program
    .command('ssh-proxy <host> <port>')
    .description('carry one SSH connection to an instance on standard input and output: for the ProxyCommand of ssh')
    .option('--user <name>', 'user that ssh signs in as, to be told when the access level has another')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .action(async (host: string, port: string, options: { user?: string; level?: string }) => {
      const { withDeps } = await import('../connect/connect-deps.ts')
      const { sshProxy } = await import('./ssh-proxy.ts')
      process.exitCode = await withDeps(program.opts(), (deps) => sshProxy(deps, host, toPort(port), options))
    })
}
